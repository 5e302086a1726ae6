-- The first facts are in Kafka. KEYS: 1 imc:facts, 2 imc:facts:owner. ARGV: 1 who says so, 2 how many. Nothing happens if they
-- are another's by now.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
return 1
