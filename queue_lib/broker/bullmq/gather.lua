--[[
  Move letters to the newest end of their list, where BullMQ's own removal finds each at once. It looks for a job from
  that end on: an old letter would cost a walk past all the newer ones.
    KEYS[1..] the lists of letters, newest first: wait, paused
    ARGV[1] how many of the oldest letters of each list are passed over
    ARGV[2] how many are looked at       ARGV[3..] ids of letters
  Returns how many were moved.
]]
local wanted, moved = {}, 0
for place = 3, #ARGV do wanted[ARGV[place]] = true end
for _, list in ipairs(KEYS) do
  local ids = redis.call('LRANGE', list, -ARGV[1] - ARGV[2], -ARGV[1] - 1)
  local found = {}
  for place, id in ipairs(ids) do
    if wanted[id] then
      redis.call('LSET', list, place - #ids - ARGV[1] - 1, '')
      table.insert(found, id)
    end
  end
  if #found > 0 then
    redis.call('LREM', list, -#found, '')
    redis.call('LPUSH', list, unpack(found))
  end
  moved = moved + #found
end
return moved
