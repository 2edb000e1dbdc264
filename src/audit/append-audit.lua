#!lua flags=allow-oom
--[[
  Record a decision whose effect has no script of its own: a look, or a refusal.

  KEYS[1]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   audit rows, one a line

  Returns {"RECORDED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
audit(KEYS[1], ARGV[2])
return { 'RECORDED' }
