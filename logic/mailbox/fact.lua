-- What becomes of messages, for the business (docs/events.md). If it wants to know: KEYS 2 imc:facts, 3 imc:ends, and the last
-- argument, separated by spaces: which facts (letters), now, how many may wait, the session.
-- A fact is its letter, the message's id, and: uid now session.
local wanted, time, room, whose = '', '0', '0', ''
if KEYS[2] then
  wanted, time, room, whose = string.match(ARGV[#ARGV], '^(%a*) (%d+) (%d+) (.*)$')
end
local function fact(what, id)
  if not string.find(wanted, what, 1, true) then return end
  if redis.call('LLEN', KEYS[2]) >= tonumber(room) then
    redis.call('INCR', 'imc:facts:lost')
  else
    local uid = string.sub(KEYS[1], 8)
    redis.call('RPUSH', KEYS[2], what .. id .. uid .. ' ' .. time .. ' ' .. whose)
  end
end
