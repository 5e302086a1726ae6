-- Messages are owed to some sessions, or a device, no longer.
-- ARGV: 1 the sessions' tokens, 2 the device's, or ''; then pairs of score and id.
-- Answer: {number removed, the beginnings of traced ones among them}.
--@include extras.lua
--@include tokens.lua
local removed, gone = 0, {[ARGV[2]] = true}
for token in string.gmatch(ARGV[1], '%S+') do gone[token] = true end
for i = 3, #ARGV, 2 do
  local id = ARGV[i + 1]
  local sessions, own, had = tokens_without(owed, id, gone)
  local others, own_device, had_too = tokens_without(devices, id, gone)
  if own or own_device then
    had = had or had_too
    tokens_put(owed, id, sessions, had)
    tokens_put(devices, id, others, had)
    if had and sessions == '' and others == '' then removed = removed + leave_id(ARGV[i], id) end
  end
end
return {removed, traced}
