-- Adds to the counts of a push. ARGV: 1 how long they are kept (ms), 2 when its messages end (Unix
-- ms; '0': not known here), then pairs of field and number. Answer: number of pairs.
if ARGV[2] ~= '0' then redis.call('HSETNX', KEYS[1], 'ends', ARGV[2]) end
for i = 3, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return (#ARGV - 2) / 2
