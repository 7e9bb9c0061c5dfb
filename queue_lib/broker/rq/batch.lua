--[[
  Run the commands that RQ has written into a pipeline, as one step, if the job is still ours.
    KEYS[1] rq:wip:<lane> (sorted set of <job id>:<execution id>)
    KEYS[2] rq:job:<id>:dependents (set of job ids)
    KEYS[3] rq:queue:<lane>:intermediate (list of job ids: claimed, not yet started)
    KEYS[4] rq:job:<id> (hash)
    ARGV[1] msgpacked list of commands, each a list of its words
    ARGV[2] the execution that must hold the job; '' at its start: then it must be claimed, and is so no longer
    ARGV[3] '1': do nothing if the job has dependents
    ARGV[4] the job's id
  Returns 'lost' | 'dependents' | 'ok', and the number of dependents. It may be sent twice, when the first answer was
  lost: an execution that has settled the job is told so again.
]]
local dependents = redis.call('SCARD', KEYS[2])
if ARGV[2] ~= '' then
  if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then
    return {redis.call('HGET', KEYS[4], 'settled_by') == ARGV[2] and 'ok' or 'lost', dependents}
  end
elseif redis.call('LREM', KEYS[3], 1, ARGV[4]) == 0 then
  return {'lost', 0}
else
  redis.call('HDEL', KEYS[4], 'claimed_at', 'claimed_by')
end
if ARGV[3] == '1' and dependents > 0 then return {'dependents', dependents} end
for _, command in ipairs(cmsgpack.unpack(ARGV[1])) do redis.call(unpack(command)) end
if ARGV[2] ~= '' and redis.call('EXISTS', KEYS[4]) == 1 then redis.call('HSET', KEYS[4], 'settled_by', ARGV[2]) end
return {'ok', dependents}
