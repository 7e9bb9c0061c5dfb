--[[
  Read some fields of many hashes with one command, so that a client packs and parses little. The server is busy for
  about a millisecond: it stops early when the values have become large.
    KEYS[1..] hashes; a key of another type counts as none
    ARGV[1] how many bytes of the first field are read at most       ARGV[2] after how many bytes of values it stops
    ARGV[3..] names of fields, the first of which may be large
  Returns for each of the first keys, at least one, the values of its fields; none of a key that holds no hash. Instead
  of a first value that is larger: its length.
]]
local largest, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local names, found, bytes = {}, {}, 0
for place = 3, #ARGV do names[#names + 1] = ARGV[place] end

local function read(key)
  local length = redis.pcall('HSTRLEN', key, names[1])
  if type(length) == 'table' then
    if string.find(length.err, 'WRONGTYPE', 1, true) then return {} end
    return length
  end
  if length == 0 and redis.call('EXISTS', key) == 0 then return {} end
  if length <= largest then return redis.call('HMGET', key, unpack(names)) end
  local values = #names > 1 and redis.call('HMGET', key, unpack(names, 2)) or {}
  table.insert(values, 1, length)
  return values
end

for _, key in ipairs(KEYS) do
  local values = read(key)
  if values.err then return values end
  found[#found + 1] = values
  for _, value in ipairs(values) do
    if type(value) == 'string' then bytes = bytes + #value end
  end
  if bytes >= most then break end
end
return found
