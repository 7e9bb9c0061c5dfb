--[[
  Keeps a value of the app's cache if the token still holds the key's lock, and gives the lock back.
    KEYS[1] the app's own key (string: the value)
    KEYS[2] <key>:pushmill-lock (string: the token that makes the value)
    KEYS[3] <key>:pushmill-done:<token> (string: 1 for a while, once the token has written the value)
    ARGV    the token; or the token, the value, its milliseconds, and the milliseconds of KEYS[3]
  Returns 1 if the key had this value before, 0 if it had not, and -1 if the token does not hold the lock: then nothing
  is written. With the token alone only the lock is given back.
]]
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
local same = 0
if #ARGV > 1 then
  if redis.call('GET', KEYS[1]) == ARGV[2] then same = 1 end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[4])
end
redis.call('DEL', KEYS[2])
return same
