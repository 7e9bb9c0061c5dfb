--[[
  Read what was counted in some minutes or spans, in one command: who looks at an hour would send sixty. A list for
  each key.
    KEYS[1...] <prefix>:pulse:minute:<queue>:<minute since the epoch> (hash of counts), or of another kind of pulse.lua
]]
local found = {}
for place, key in ipairs(KEYS) do found[place] = redis.call('HGETALL', key) end
return found
