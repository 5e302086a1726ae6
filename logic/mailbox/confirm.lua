-- A session confirms messages.
-- ARGV: 1 and 2 the tokens of the session and of its device, or ''; then pairs of score and id.
-- Answer: {number removed, number kept, then pairs of id and tokens, last the beginnings of traced ones that were
-- removed}. The pairs are the messages that are kept for certain sessions although they were owed neither to this
-- session nor to its device.
--@include extras.lua
--@include tokens.lua
local removed, kept, left = 0, 0, {0, 0}
local gone = {[ARGV[1]] = true, [ARGV[2]] = true}
for i = 3, KEYS[2] and #ARGV - 1 or #ARGV, 2 do
  local id, sessions, others, own, own_device = ARGV[i + 1], '', '', false, false
  if not plain then
    sessions, own = tokens_without(owed, id, gone)
    others, own_device = tokens_without(devices, id, gone)
  end
  if sessions == '' and others == '' then
    removed = removed + leave_id(ARGV[i], id)
  else
    tokens_put(owed, id, sessions, true)
    tokens_put(devices, id, others, true)
    kept = kept + 1
    if KEYS[2] then fact(wanted, id) end
    if sessions ~= '' and not own and not own_device then
      left[#left + 1] = id
      left[#left + 1] = sessions
    end
  end
end
left[1], left[2], left[#left + 1] = removed, kept, traced
return left
