--[[
  Put in front of the package's moveToActive script, whose KEYS and ARGV it shares.
  BullMQ takes a limiter key without an expiry for "not limited", for ever; it gets one here.
    KEYS[6] rate limiter key (string, a counter)
    ARGV[3] msgpacked options; limiter.duration in milliseconds
]]
do
  local limiter = cmsgpack.unpack(ARGV[3])['limiter']
  if limiter and redis.call('PTTL', KEYS[6]) == -1 then
    redis.call('PEXPIRE', KEYS[6], limiter['duration'])
  end
end
