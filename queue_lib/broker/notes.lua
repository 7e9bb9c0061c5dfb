--[[
  Note and forget, unless somebody else has the job by now. Returns 1 if it was done.
    KEYS[1] the job's notes (hash)
    KEYS[2] who has the job: BullMQ's lock (string, a token), or RQ's started registry (sorted set of executions)
    ARGV[1] the token or the execution that must have it
    ARGV[2] seconds that the notes are kept
    ARGV[3] how many notes to forget; their names, then names and values of those to write
]]
local kind = redis.call('TYPE', KEYS[2]).ok
local held = kind == 'string' and redis.call('GET', KEYS[2]) == ARGV[1]
          or kind == 'zset' and redis.call('ZSCORE', KEYS[2], ARGV[1])
if not held then return 0 end

local forget = tonumber(ARGV[3])
for place = 4, 3 + forget do redis.call('HDEL', KEYS[1], ARGV[place]) end
for place = 4 + forget, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
