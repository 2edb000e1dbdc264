-- Whether two resources can mean the same thing; the same rule as addresses/overlaps.ts, held to it by a test.
local function segmentsOverlap(a, b)
  local starA, starB = string.find(a, '*', 1, true), string.find(b, '*', 1, true)
  if not starA and not starB then return a == b end
  if starA and starB then
    local headA, headB = string.sub(a, 1, starA - 1), string.sub(b, 1, starB - 1)
    local tailA, tailB = string.sub(a, starA + 1), string.sub(b, starB + 1)
    local head, tail = math.min(#headA, #headB), math.min(#tailA, #tailB)
    return string.sub(headA, 1, head) == string.sub(headB, 1, head)
      and string.sub(tailA, #tailA - tail + 1) == string.sub(tailB, #tailB - tail + 1)
  end
  if starB then a, b, starA = b, a, starB end
  local head, tail = string.sub(a, 1, starA - 1), string.sub(a, starA + 1)
  return #b >= #head + #tail and string.sub(b, 1, #head) == head and string.sub(b, #b - #tail + 1) == tail
end
local function segmentCovers(a, b)
  local starA, starB = string.find(a, '*', 1, true), string.find(b, '*', 1, true)
  if a == b or not starA or not starB then return segmentsOverlap(a, b) and (a == b or starA ~= nil) end
  local headA, tailA = string.sub(a, 1, starA - 1), string.sub(a, starA + 1)
  local headB, tailB = string.sub(b, 1, starB - 1), string.sub(b, starB + 1)
  return string.sub(headB, 1, #headA) == headA and #tailB >= #tailA and string.sub(tailB, #tailB - #tailA + 1) == tailA
end
local segmentsKnown = {}
local function segmentsOf(resource)
  local segments = segmentsKnown[resource]
  if segments then return segments end
  segments = {}
  for segment in string.gmatch(resource, '[^/]+') do segments[#segments + 1] = segment end
  segmentsKnown[resource] = segments
  return segments
end
-- Whether a resource is a pattern; its first and last segments, false where they have a wildcard: two that can mean the same
-- begin and end alike, which tells most from each other, and those are many where a pattern means much. And how the last
-- segment begins and ends around its wildcard, which is nothing for any depth.
local formsKnown = {}
local function formOf(resource)
  local form = formsKnown[resource]
  if form then return form end
  local segments = segmentsOf(resource)
  local function plain(segment) return segment and not string.find(segment, '*', 1, true) and segment or false end
  local ending = segments[#segments] or ''
  local star = string.find(ending, '*', 1, true)
  form = {
    isPattern = string.find(resource, '*', 1, true) ~= nil, first = plain(segments[1]), last = plain(ending), ending = ending,
    head = star and string.sub(ending, 1, star - 1) or ending, tail = star and string.match(ending, '[^*]*$') or ending,
  }
  formsKnown[resource] = form
  return form
end
-- reach[j]: some path is meant by the first i segments of a and by the first j of b.
local function overlaps(resourceA, resourceB)
  if resourceA == resourceB then return true end
  local formA, formB = formOf(resourceA), formOf(resourceB)
  if not formA.isPattern and not formB.isPattern then return false end
  if formA.last and formB.last and formA.last ~= formB.last then return false end
  if formA.first and formB.first and formA.first ~= formB.first then return false end
  if formA.ending ~= '**' and formB.ending ~= '**' and not segmentsOverlap(formA.ending, formB.ending) then return false end
  local a, b = segmentsOf(resourceA), segmentsOf(resourceB)
  local reach = { [0] = true }
  for j = 1, #b do reach[j] = reach[j - 1] and b[j] == '**' end
  for i = 1, #a do
    local next = { [0] = reach[0] and a[i] == '**' }
    for j = 1, #b do
      -- Any depth means: nothing here, or one segment more of the other.
      if a[i] == '**' or b[j] == '**' then next[j] = reach[j] or next[j - 1]
      else next[j] = reach[j - 1] and segmentsOverlap(a[i], b[j]) end
    end
    reach = next
  end
  return reach[#b]
end
-- Whether everything that the second means is meant by the first; the same rule as covers.ts. Reads the wildcards of the
-- second as they stand: only a wildcard takes them in.
local function covers(resourceA, resourceB)
  if resourceA == resourceB then return true end
  if not formOf(resourceA).isPattern then return false end
  local a, b = segmentsOf(resourceA), segmentsOf(resourceB)
  local reach = { [0] = true }
  for j = 1, #b do reach[j] = false end
  for i = 1, #a do
    local next = { [0] = reach[0] and a[i] == '**' }
    for j = 1, #b do
      if a[i] == '**' then next[j] = reach[j] or next[j - 1]
      else next[j] = reach[j - 1] and b[j] ~= '**' and segmentCovers(a[i], b[j]) end
    end
    reach = next
  end
  return reach[#b]
end
