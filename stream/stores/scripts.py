"""The store's changes, each one atomic: Redis runs a script whole or not at all, and nothing in between."""

from __future__ import annotations

from typing import Final

CHAMPION_FIELDS: Final = ("version", "epoch", "digest", "reason", "who", "since")

MAX_HISTORY: Final = 1000
"""Champions remembered for rolling back."""

PUBLISH: Final = """
-- KEYS: versions, last version, versions by digest and by origin, artifact, models.
-- ARGV: digest, artifact, metadata, parent, name, origin ('': none), prefix of artifacts.
local made = ARGV[6] ~= '' and redis.call('HGET', KEYS[3], ARGV[6])
if made then  -- its maker came to the same point again, after a crash
  local digest = cjson.decode(redis.call('HGET', KEYS[1], made)).digest
  if redis.call('EXISTS', ARGV[7] .. digest) == 1 then return tonumber(made) end
end
redis.call('SET', KEYS[4], ARGV[2])  -- named by its digest: the same bytes, or damaged ones made good
local known = redis.call('HGET', KEYS[3], ARGV[1])
if known then return tonumber(known) end  -- said again because the first answer was lost
local last = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), tonumber(ARGV[4]))
redis.call('SET', KEYS[2], last + 1)
redis.call('HSET', KEYS[1], last + 1, ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], last + 1)
if ARGV[6] ~= '' then redis.call('HSET', KEYS[3], ARGV[6], last + 1) end
redis.call('SADD', KEYS[5], ARGV[5])
return last + 1
"""

PROMOTE: Final = """
-- KEYS: versions, champion, history, swaps channel.
-- ARGV: version, expected epoch, entries of the history to keep (-1: all), reason, who, token, prefix of artifacts,
--       name, scope, most entries of the history.
-- Returns {'ok' | 'stale' | 'unknown' | 'lost', champion...}.
local function answer(word)
  local fields = redis.call('HMGET', KEYS[2], 'version', 'epoch', 'digest', 'reason', 'who', 'since')
  table.insert(fields, 1, word)
  return fields
end
local meta = redis.call('HGET', KEYS[1], ARGV[1])
if not meta then return answer('unknown') end
local digest = cjson.decode(meta).digest
if redis.call('EXISTS', ARGV[7] .. digest) == 0 then return answer('lost') end
if redis.call('HGET', KEYS[2], 'token') == ARGV[6] then return answer('ok') end  -- the first answer was lost
local epoch = tonumber(redis.call('HGET', KEYS[2], 'epoch') or 0)
if epoch ~= tonumber(ARGV[2]) then return answer('stale') end
local time = redis.call('TIME')
redis.call('HSET', KEYS[2], 'version', ARGV[1], 'epoch', epoch + 1, 'digest', digest, 'reason', ARGV[4],
  'who', ARGV[5], 'since', time[1] .. '.' .. string.format('%06d', time[2]), 'token', ARGV[6])
local keep = tonumber(ARGV[3])
if keep == 0 then redis.call('DEL', KEYS[3]) elseif keep > 0 then redis.call('LTRIM', KEYS[3], 0, keep - 1) end
redis.call('RPUSH', KEYS[3], ARGV[1])
redis.call('LTRIM', KEYS[3], -tonumber(ARGV[10]), -1)
redis.call('PUBLISH', KEYS[4],
  cjson.encode({name = ARGV[8], scope = ARGV[9], version = tonumber(ARGV[1]), epoch = epoch + 1}))
return answer('ok')
"""

CLAIM: Final = """
-- KEYS: owner. Returns its new number: larger than any before; by the server's clock also than any that was wiped.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owner = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0) + 1)
redis.call('SET', KEYS[1], string.format('%.0f', owner))
return owner
"""

SAVE: Final = """
-- KEYS: owner, pointer, slot 0, slot 1, archive. ARGV: number of the owner who writes, data; most snapshots of the
-- archive, least time between two; the point at which this one was taken ('': not to be archived), and its time.
-- The data becomes the newest snapshot, the newest the previous one. Returns 0, and does nothing, for an older owner.
if tonumber(ARGV[1]) < tonumber(redis.call('GET', KEYS[1]) or 0) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
local newest = tonumber(redis.call('GET', KEYS[2]) or 1)
if redis.call('GET', KEYS[3 + newest]) == ARGV[2] then return 1 end  -- said again because the first answer was lost
redis.call('SET', KEYS[4 - newest], ARGV[2])
redis.call('SET', KEYS[2], 1 - newest)
local archive, keep = {}, tonumber(ARGV[3])
for _, name in ipairs(redis.call('HKEYS', KEYS[5])) do
  local number, taken = string.match(name, '^(%d+)%.%d+%.%d+%.(%d+)$')
  if number then table.insert(archive, {number = tonumber(number), taken = tonumber(taken), name = name}) end
end
table.sort(archive, function(one, other) return one.number < other.number end)
local last = archive[#archive]
if keep > 0 and ARGV[5] ~= '' and not (last and math.abs(tonumber(ARGV[6]) - last.taken) < tonumber(ARGV[4])) then
  local name = string.format('%.0f.%s', (last and last.number or 0) + 1, ARGV[5])
  redis.call('HSET', KEYS[5], name, ARGV[2])
  table.insert(archive, {name = name})
end
for place = 1, #archive - keep do redis.call('HDEL', KEYS[5], archive[place].name) end
return 1
"""

READ: Final = """
-- KEYS: pointer, slot 0, slot 1. ARGV: 0 for the newest snapshot, 1 for the one before it.
local slot = redis.call('GET', KEYS[1])
if not slot then return false end
return redis.call('GET', KEYS[2 + (tonumber(slot) + tonumber(ARGV[1])) % 2])
"""
