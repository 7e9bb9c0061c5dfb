--[[
  What processes tell each other: facts of one topic, each for some time by the server's clock.
    KEYS[1] <prefix>:board:<topic> (hash: name -> "<millisecond since the epoch at which it is forgotten> <text>")
    ARGV    nothing: read; or a name: erase it; or a name, a text, and for how many milliseconds: write it
  Returns name, text and milliseconds left of each fact, one after another. What lasts longer than a day is none of ours.
]]
local DAY = 86400000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if #ARGV == 1 then redis.call('HDEL', KEYS[1], ARGV[1]) end
if #ARGV == 3 then redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[3]) .. ' ' .. ARGV[2]) end

local facts, longest = {}, 0
local all = redis.call('HGETALL', KEYS[1])
for place = 1, #all, 2 do
  local till, text = string.match(all[place + 1], '^(%d+) (.*)$')
  local left = (tonumber(till) or 0) - now
  if left <= 0 or left > DAY then
    redis.call('HDEL', KEYS[1], all[place])
  else
    longest = math.max(longest, left)
    table.insert(facts, all[place])
    table.insert(facts, text)
    table.insert(facts, string.format('%.0f', left))
  end
end
if #ARGV > 0 and longest > 0 then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', longest)) end
return facts
