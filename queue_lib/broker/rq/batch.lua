--[[
  Run the commands that RQ has written into a pipeline, as one step, if the job is still ours.
    KEYS[1] rq:wip:<lane> (sorted set of <job id>:<execution id>)
    KEYS[2] rq:job:<id>:dependents (set of job ids)
    KEYS[3] rq:queue:<lane>:intermediate (list of job ids: claimed, not yet started)
    KEYS[4] rq:job:<id> (hash)
    KEYS[5] rq:kept:<queue> (list of executions that have finished jobs, see `trim`)
    ARGV[1] msgpacked list of commands, each a list of its words
    ARGV[2] now, by the clock that RQ used (seconds since the epoch)
    ARGV[3] the execution that must hold the job; '' at its start: then it must be claimed, and is so no longer
    ARGV[4] '1': do nothing if the job has dependents
    ARGV[5] the job's id
    ARGV[6] how many finished jobs are kept; '': as many as there are
  Returns 'lost' | 'dependents' | 'ok', and the number of dependents. It may be sent twice, when the first answer was
  lost: an execution that has settled the job is told so again. A job that was deleted meanwhile is lost, not made anew.
]]
-- A stream sets 4 KiB aside for entries to come; a copy has what it needs.
local function shrink(stream)
  if redis.call('COPY', stream, stream .. ':copy') == 1 then redis.call('RENAME', stream .. ':copy', stream) end
end

local holder, id = ARGV[3], ARGV[5]
local is_there = is_hash(KEYS[4])
local dependents = redis.call('SCARD', KEYS[2])
if holder ~= '' then
  if not redis.call('ZSCORE', KEYS[1], holder) then
    return {fields(KEYS[4], 'settled_by') == holder and 'ok' or 'lost', dependents}
  end
  if not is_there then redis.call('ZREM', KEYS[1], holder) end
elseif redis.call('LREM', KEYS[3], 1, id) == 0 then
  return {'lost', 0}
elseif is_there then
  redis.call('HDEL', KEYS[4], 'claimed_at', 'claimed_by')
end
if not is_there then return {'lost', 0} end
if ARGV[4] == '1' and dependents > 0 then return {'dependents', dependents} end
run(cmsgpack.unpack(ARGV[1]), tonumber(ARGV[2]))
if holder ~= '' and is_hash(KEYS[4]) then
  redis.call('HSET', KEYS[4], 'settled_by', holder)
  shrink(RQ .. ':results:' .. id)
end
if ARGV[6] ~= '' then trim(KEYS[5], tonumber(ARGV[6]), 10) end
return {'ok', dependents}
