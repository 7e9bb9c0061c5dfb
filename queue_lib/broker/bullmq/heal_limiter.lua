--[[
  Put in front of the package's scripts that claim jobs (moveToActive, moveToFinished), whose KEYS and ARGV it shares.
  BullMQ takes a limiter key without an expiry for "not limited", for ever; it gets one here.
    KEYS[6] rate limiter key (string, a counter)
    ARGV[OPTIONS] msgpacked options; limiter.duration in milliseconds
]]
do
  local limiter = cmsgpack.unpack(ARGV[OPTIONS])['limiter']
  if limiter and redis.call('PTTL', KEYS[6]) == -1 then
    redis.call('PEXPIRE', KEYS[6], limiter['duration'])
  end
end
