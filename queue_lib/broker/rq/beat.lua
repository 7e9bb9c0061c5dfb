--[[
  Renew a worker's registration and its leases. What was recovered or removed meanwhile is not touched.
    KEYS[1] rq:workers (set of the workers' keys)
    KEYS[2] rq:worker:<name> (hash)
    KEYS[3...] for each lease rq:wip:<lane> (sorted set of <job id>:<execution id>)
    ARGV[1] now, by the clock that RQ used (seconds since the epoch)
    ARGV[2] msgpacked list of what RQ writes to renew the registration, and then of what it writes for each lease:
            lists of commands, each a list of its words
    ARGV[3...] for each lease its member of the sorted set
  Returns whether the worker is registered, 1 or 0 (if it is not, Redis has lost its data, or was away for long), and
  the members that are not there any more.
]]
local commands, lost = cmsgpack.unpack(ARGV[2]), {}
local is_registered = redis.call('SISMEMBER', KEYS[1], KEYS[2])
if is_registered == 1 then run(commands[1], tonumber(ARGV[1])) end
for place = 3, #KEYS do
  if redis.call('ZSCORE', KEYS[place], ARGV[place]) then
    run(commands[place - 1], tonumber(ARGV[1]))
  else
    table.insert(lost, ARGV[place])
  end
end
return {is_registered, lost}
