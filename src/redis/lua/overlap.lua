-- Whether two resources can mean the same thing; the same rule as addresses/overlaps.ts, held to it by a test.
-- What stands around the wildcard of a segment; false where it has none.
local aroundKnown = {}
local function aroundStar(segment)
  local around = aroundKnown[segment]
  if around ~= nil then return around end
  local star = string.find(segment, '*', 1, true)
  around = star and { head = string.sub(segment, 1, star - 1), tail = string.sub(segment, star + 1) } or false
  aroundKnown[segment] = around
  return around
end
local function segmentsOverlap(a, b)
  local aroundA, aroundB = aroundStar(a), aroundStar(b)
  if not aroundA and not aroundB then return a == b end
  if aroundA and aroundB then
    local headA, headB, tailA, tailB = aroundA.head, aroundB.head, aroundA.tail, aroundB.tail
    if #headA > #headB then headA, headB = headB, headA end
    if #tailA > #tailB then tailA, tailB = tailB, tailA end
    return string.sub(headB, 1, #headA) == headA and string.sub(tailB, #tailB - #tailA + 1) == tailA
  end
  if aroundB then b, aroundA = a, aroundB end
  local head, tail = aroundA.head, aroundA.tail
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
-- Whether a resource is a pattern, and means any depth; and how its last segment begins and ends around its wildcard, which is nothing for any depth.
local formsKnown = {}
local function formOf(resource)
  local form = formsKnown[resource]
  if form then return form end
  local segments = segmentsOf(resource)
  local ending = segments[#segments] or ''
  local star = string.find(ending, '*', 1, true)
  form = {
    isPattern = string.find(resource, '*', 1, true) ~= nil, isDeep = string.find(resource, '**', 1, true) ~= nil, ending = ending,
    head = star and string.sub(ending, 1, star - 1) or ending, tail = star and string.match(ending, '[^*]*$') or ending,
  }
  formsKnown[resource] = form
  return form
end
-- How much was compared: one for every two resources, and one for every two segments of them that met. What it is worth is
-- said where it is bounded.
local compared = 0
local function segmentsMeet(a, b) return a == b or segmentsOverlap(a, b) end
-- What stands after any depth, and before it, is met one by one: that tells most from each other where a pattern means much.
-- Of what is left where both mean any depth, each can mean what the other does besides. Where one does, it begins and ends
-- with that, unless nothing is left of the other: what it has between is looked for in the other, part by part.
local function overlaps(resourceA, resourceB)
  compared = compared + 1
  if resourceA == resourceB then return true end
  local formA, formB = formOf(resourceA), formOf(resourceB)
  if not formA.isPattern and not formB.isPattern then return false end
  local a, b = segmentsOf(resourceA), segmentsOf(resourceB)
  local first, lastA, lastB = 1, #a, #b
  while lastA > 0 and lastB > 0 and a[lastA] ~= '**' and b[lastB] ~= '**' do
    compared = compared + 1
    if not segmentsMeet(a[lastA], b[lastB]) then return false end
    lastA, lastB = lastA - 1, lastB - 1
  end
  while first <= lastA and first <= lastB and a[first] ~= '**' and b[first] ~= '**' do
    compared = compared + 1
    if not segmentsMeet(a[first], b[first]) then return false end
    first = first + 1
  end
  if formA.isDeep and formB.isDeep then return true end
  if not formA.isDeep and not formB.isDeep then return lastA < first and lastB < first end
  if formB.isDeep then a, lastA, b, lastB = b, lastB, a, lastA end
  local at, from = first, first
  while from <= lastA do
    if a[from] == '**' then from = from + 1
    else
      local to, met = from, 0
      while to < lastA and a[to + 1] ~= '**' do to = to + 1 end
      local length = to - from + 1
      while at + length - 1 <= lastB do
        met = 0
        while met < length do
          compared = compared + 1
          if not segmentsMeet(a[from + met], b[at + met]) then break end
          met = met + 1
        end
        if met == length then break end
        at = at + 1
      end
      if met < length then return false end
      at, from = at + length, to + 1
    end
  end
  return true
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
