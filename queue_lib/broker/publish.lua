--[[
  Publishes messages, in one round trip and over one connection.
    KEYS  none: channels are no keys, and all databases of a server share them
    ARGV  channel, text, channel, text, ...
  Returns how many clients have heard each message.
]]
local heard = {}
for place = 1, #ARGV, 2 do
  table.insert(heard, redis.call('PUBLISH', ARGV[place], ARGV[place + 1]))
end
return heard
