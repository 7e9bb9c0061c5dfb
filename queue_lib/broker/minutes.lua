--[[
  Read what was counted in some minutes, in one command: who looks at an hour would send sixty. A list for each key.
    KEYS[1...] <prefix>:pulse:minute:<queue>:<minute since the epoch> (hash of counts)
]]
local found = {}
for place, key in ipairs(KEYS) do found[place] = redis.call('HGETALL', key) end
return found
