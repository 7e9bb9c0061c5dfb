-- Before the package's `pause`: the queue is marked first, so that its jobs are set aside if they have to be.
--   KEYS[3] <queue>meta     ARGV[1] 'paused' or 'resumed'
if ARGV[1] == 'paused' then call('HSET', KEYS[3], 'paused', 1) end
place_in(queue_of(KEYS[3], 'meta') .. 'wait')
