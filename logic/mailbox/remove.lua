-- Removes messages. ARGV: members. Answer: number removed.
local removed = 0
for _, member in ipairs(ARGV) do
  removed = removed + redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[1] .. ':owed', string.sub(member, 1, 8))
end
return removed
