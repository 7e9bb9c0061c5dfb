-- Before the package's scripts that claim jobs. BullMQ takes a limiter key without an expiry for "not limited", for
-- ever; it gets one here.
--   KEYS[6] <queue>limiter (string, a counter)
--   ARGV[OPTIONS] msgpacked options; limiter.duration in milliseconds
if call('PTTL', KEYS[6]) == -1 then
  local limiter = cmsgpack.unpack(ARGV[OPTIONS])['limiter']
  instead.PEXPIRE(KEYS[6], limiter and limiter['duration'] or 1000)
end
