--[[
  Keep what a worker process says of itself, and add up what it has counted.
    KEYS[1] <prefix>:pulse:workers (sorted set of names, scored by the server's second of their last pulse)
    KEYS[2] <prefix>:pulse:worker:<name> (string, JSON)
    KEYS[3] <prefix>:pulse:data (hash: `id` of the data that this server has, and how many pulses it has taken, `n`)
    KEYS[4...] <prefix>:pulse:minute:<queue>:<minute since the epoch> (hash of counts),
               <prefix>:pulse:span:<queue>:<ten minutes since the epoch> (the same of ten minutes),
               <prefix>:pulse:names:<queue>:<half-hours since the epoch> (hash of counts by the names of jobs)
    ARGV[1] the name                           ARGV[2] the JSON
    ARGV[3] seconds until a silent worker is forgotten
    ARGV[4] seconds that counts are kept       ARGV[5] an id for the data, if it has none
    ARGV[6...] for each of them its counts, as a JSON object
  Returns `id` and `n`: data that was lost has another id, or a number that was there before.
]]
local now, silence = tonumber(redis.call('TIME')[1]), tonumber(ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'EX', silence)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - silence)
redis.call('EXPIRE', KEYS[1], silence)
redis.call('HSETNX', KEYS[3], 'id', ARGV[5])
for number = 4, #KEYS do
  for what, count in pairs(cjson.decode(ARGV[number + 2])) do redis.call('HINCRBY', KEYS[number], what, count) end
  redis.call('EXPIRE', KEYS[number], ARGV[4])
end
return {redis.call('HGET', KEYS[3], 'id'), redis.call('HINCRBY', KEYS[3], 'n', 1)}
