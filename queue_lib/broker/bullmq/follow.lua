--[[
  A claim, and with it the next job of the scheduler that the claimed one came from: one step and one round trip where
  the package takes two. For intervals alone; when a pattern is due is not known here, and left to the worker.
  In front of the scripts that claim: `follow(answer, prefix, now)` gives their answer back. Where the next job has been
  added (or the scheduler has ended), the claimed job has one field more, `followed`.
    <prefix>repeat:<id>, <prefix>delayed, ...: as in the package's updateJobScheduler, which does the work
]]
local function update(KEYS, ARGV)
UPDATE
end

-- The options of the next job, as the package's JobScheduler makes them of those of the last; nil where it has ended.
local function next_options(opts, scheduler, now)
  local every = opts['repeat']
  every.count = (every.count or 0) + 1
  if (every.limit and every.count > every.limit) or (every.endDate and now > every.endDate) then return nil end
  opts.jobId, opts.delay, opts.timestamp, opts.prevMillis = 'repeat:' .. scheduler .. ':' .. now, 0, now, now
  opts.repeatJobKey = scheduler
  return opts
end

local function is_simple(every)
  return type(every) == 'table' and type(every.every) == 'number' and not every.pattern
    and type(every.count or 0) == 'number' and type(every.limit or 0) == 'number' and type(every.endDate or 0) == 'number'
end

local function follow(answer, prefix, now)
  local fields = type(answer) == 'table' and answer[1]
  if type(fields) ~= 'table' then return answer end
  local job = {}
  for i = 1, #fields, 2 do job[fields[i]] = fields[i + 1] end
  if not job.rjk then return answer end
  local read, opts = pcall(cjson.decode, job.opts)
  if not read or type(opts) ~= 'table' or not is_simple(opts['repeat']) then return answer end
  local keys, options = {}, next_options(opts, job.rjk, tonumber(now))
  for _, name in ipairs({'repeat', 'delayed', 'wait', 'paused', 'meta', 'prioritized', 'marker', 'id', 'events', 'pc',
    answer[2], 'active'}) do keys[#keys + 1] = prefix .. name end
  if not options or pcall(update, keys, {now, job.rjk, job.data, cmsgpack.pack(options), now, prefix, answer[2]}) then
    fields[#fields + 1], fields[#fields + 2] = 'followed', '1'
  end
  return answer
end
