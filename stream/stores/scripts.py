"""The store's changes, each one atomic: Redis runs a script whole or not at all, and nothing in between."""

from __future__ import annotations

from typing import Final

CHAMPION_FIELDS: Final = ("version", "epoch", "digest", "reason", "who", "since")

MAX_HISTORY: Final = 1000
"""Champions remembered for rolling back."""

MAX_CHALLENGERS: Final = 3
"""Versions of a model that compete at once: each is asked about every event."""

PUBLISH: Final = """
-- KEYS: versions, last version, versions by digest and by origin, artifact, models, last use of versions.
-- ARGV: digest, artifact, metadata, newest parent, name, origin ('': none), prefix of artifacts.
local function done(version)
  redis.call('ZADD', KEYS[6], redis.call('TIME')[1], version)
  return tonumber(version)
end
local made = ARGV[6] ~= '' and redis.call('HGET', KEYS[3], ARGV[6])
if made then  -- its maker came to the same point again, after a crash
  local digest = cjson.decode(redis.call('HGET', KEYS[1], made)).digest
  if redis.call('EXISTS', ARGV[7] .. digest) == 1 then return done(made) end
end
redis.call('SET', KEYS[4], ARGV[2])  -- named by its digest: the same bytes, or damaged ones made good
local known = redis.call('HGET', KEYS[3], ARGV[1])
if known then return done(known) end  -- said again because the first answer was lost
local last = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), tonumber(ARGV[4]))
redis.call('SET', KEYS[2], last + 1)
redis.call('HSET', KEYS[1], last + 1, ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], last + 1)
if ARGV[6] ~= '' then redis.call('HSET', KEYS[3], ARGV[6], last + 1) end
redis.call('SADD', KEYS[5], ARGV[5])
return done(last + 1)
"""

PROMOTE: Final = """
-- KEYS: versions, champion, history, swaps channel, challengers, last use of versions, scopes.
-- ARGV: version, expected epoch, entries of the history to keep (-1: all), reason, who, token, prefix of artifacts,
--       name, scope, most entries of the history.
-- Returns {'ok' | 'stale' | 'unknown' | 'lost', champion...}.
local function answer(word)
  local fields = redis.call('HMGET', KEYS[2], 'version', 'epoch', 'digest', 'reason', 'who', 'since')
  table.insert(fields, 1, word)
  return fields
end
local found = redis.call('HGET', KEYS[1], ARGV[1])
if not found then return answer('unknown') end
local meta = cjson.decode(found)
local digest = meta.digest
if redis.call('EXISTS', ARGV[7] .. digest) == 0 then return answer('lost') end
if redis.call('HGET', KEYS[2], 'token') == ARGV[6] then return answer('ok') end  -- the first answer was lost
local epoch = tonumber(redis.call('HGET', KEYS[2], 'epoch') or 0)
if epoch ~= tonumber(ARGV[2]) then return answer('stale') end
local time = redis.call('TIME')
-- What serves, or would be gone back to, is in use to this moment; from now on it may not be.
for _, version in ipairs(redis.call('LRANGE', KEYS[3], -2, -1)) do redis.call('ZADD', KEYS[6], time[1], version) end
redis.call('ZADD', KEYS[6], time[1], ARGV[1])
redis.call('SADD', KEYS[7], ARGV[9])
redis.call('HSET', KEYS[2], 'version', ARGV[1], 'epoch', epoch + 1, 'digest', digest, 'reason', ARGV[4],
  'who', ARGV[5], 'since', time[1] .. '.' .. string.format('%06d', time[2]), 'token', ARGV[6])
local keep = tonumber(ARGV[3])
if keep == 0 then redis.call('DEL', KEYS[3]) elseif keep > 0 then redis.call('LTRIM', KEYS[3], 0, keep - 1) end
redis.call('RPUSH', KEYS[3], ARGV[1])
redis.call('LTRIM', KEYS[3], -tonumber(ARGV[10]), -1)
if keep == -1 then  -- a challenger that has won, itself or as what it has learned to be, competes no more
  redis.call('HDEL', KEYS[5], ARGV[1])
  for _, parent in ipairs(meta.parents or {}) do redis.call('HDEL', KEYS[5], string.format('%.0f', parent)) end
end
redis.call('PUBLISH', KEYS[4],
  cjson.encode({name = ARGV[8], scope = ARGV[9], version = tonumber(ARGV[1]), epoch = epoch + 1}))
return answer('ok')
"""

ENTER: Final = """
-- KEYS: versions, challengers, last use of versions, swaps channel.
-- ARGV: version, who, prefix of artifacts, most challengers, name.
-- Returns 'ok' | 'unknown' | 'lost' | 'full'.
local meta = redis.call('HGET', KEYS[1], ARGV[1])
if not meta then return 'unknown' end
if redis.call('EXISTS', ARGV[3] .. cjson.decode(meta).digest) == 0 then return 'lost' end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 'ok' end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[4]) then return 'full' end
local time = redis.call('TIME')
local since = tonumber(time[1] .. '.' .. string.format('%06d', time[2]))
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode({who = ARGV[2], since = since}))
redis.call('ZADD', KEYS[3], time[1], ARGV[1])
redis.call('PUBLISH', KEYS[4], cjson.encode({name = ARGV[5], challenger = tonumber(ARGV[1])}))
return 'ok'
"""

LEAVE: Final = """
-- KEYS: challengers, last use of versions, swaps channel. ARGV: version, name. Returns whether it was there.
local gone = redis.call('HDEL', KEYS[1], ARGV[1])
if gone == 1 then
  redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1])
  redis.call('PUBLISH', KEYS[3], cjson.encode({name = ARGV[2], withdrawn = tonumber(ARGV[1])}))
end
return gone
"""

PIN: Final = """
-- KEYS: versions, pins. ARGV: version, who. Returns whether there is such a version.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
"""

UNPIN: Final = """
-- KEYS: pins, last use of versions. ARGV: version. Returns whether it was pinned.
local gone = redis.call('HDEL', KEYS[1], ARGV[1])
if gone == 1 then redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1]) end
return gone
"""

HOLD: Final = """
-- KEYS: holders, last use of versions. ARGV: holder, versions with spaces between.
-- What it held until now is in use to this moment.
local time = redis.call('TIME')[1]
for version in string.gmatch(redis.call('HGET', KEYS[1], ARGV[1]) or '', '%d+') do
  redis.call('ZADD', KEYS[2], time, version)
end
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
"""

PRUNE: Final = """
-- KEYS: versions, last use of versions, versions by digest and by origin, challengers, pins, holders, scopes.
-- ARGV: newest versions to keep, least seconds since the last use, prefix of artifacts, prefix of champions, scope that
--       is always looked at. Returns how many versions were removed.
local now, wanted = tonumber(redis.call('TIME')[1]), {}
for _, key in ipairs({KEYS[4], KEYS[5]}) do
  for _, version in ipairs(redis.call('HKEYS', key)) do wanted[version] = true end
end
for _, versions in ipairs(redis.call('HVALS', KEYS[6])) do
  for version in string.gmatch(versions, '%d+') do wanted[version] = true end
end
local scopes = redis.call('SMEMBERS', KEYS[7])
table.insert(scopes, ARGV[5])
for _, scope in ipairs(scopes) do
  local champion = redis.call('HGET', ARGV[4] .. scope, 'version')
  if champion then wanted[champion] = true end
  local history = redis.call('LRANGE', ARGV[4] .. scope .. ':history', 0, -1)
  for place = #history, 1, -1 do  -- the champion to go back to
    local version = history[place]
    if version ~= champion and redis.call('HEXISTS', KEYS[1], version) == 1 then
      wanted[version] = true
      break
    end
  end
end
local versions, gone, any = redis.call('HKEYS', KEYS[1]), {}, false
table.sort(versions, function(one, other) return tonumber(one) > tonumber(other) end)
for place = tonumber(ARGV[1]) + 1, #versions do
  local version = versions[place]
  local used = redis.call('ZSCORE', KEYS[2], version)
  if not used then redis.call('ZADD', KEYS[2], now, version) end  -- from before last uses were written down
  if used and not wanted[version] and now - tonumber(used) >= tonumber(ARGV[2]) then
    gone[version], any = true, true
  end
end
if not any then return 0 end
local artifacts, removed = {}, 0
for _, version in ipairs(versions) do
  local digest = cjson.decode(redis.call('HGET', KEYS[1], version)).digest
  if not gone[version] then
    artifacts[digest] = 'in use'
  else
    artifacts[digest] = artifacts[digest] or 'unused'
    redis.call('HDEL', KEYS[1], version)
    redis.call('ZREM', KEYS[2], version)
    removed = removed + 1
  end
end
for digest, use in pairs(artifacts) do
  if use == 'unused' then redis.call('DEL', ARGV[3] .. digest) end
end
local origins = redis.call('HGETALL', KEYS[3])
for place = 1, #origins, 2 do
  if gone[origins[place + 1]] then redis.call('HDEL', KEYS[3], origins[place]) end
end
return removed
"""

CONTROL: Final = """
-- KEYS: control, swaps channel. ARGV: 'paused' or 'on', expected epoch, who, reason, token.
-- Returns {'ok' | 'stale', state, epoch, who, reason, since}.
local function answer(word)
  local fields = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'who', 'reason', 'since')
  table.insert(fields, 1, word)
  return fields
end
if redis.call('HGET', KEYS[1], 'token') == ARGV[5] then return answer('ok') end  -- the first answer was lost
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0)
if epoch ~= tonumber(ARGV[2]) then return answer('stale') end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'epoch', epoch + 1, 'who', ARGV[3], 'reason', ARGV[4],
  'since', time[1] .. '.' .. string.format('%06d', time[2]), 'token', ARGV[5])
redis.call('PUBLISH', KEYS[2], cjson.encode({control = ARGV[1], epoch = epoch + 1}))
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

KEEP: Final = """
-- KEYS: profile, digests of those that are kept. ARGV: data, digest, prefix of kept profiles, how many to keep.
-- The data becomes the profile, and is kept under its digest; of the others as many as there is room for, newest first.
redis.call('SET', KEYS[1], ARGV[1])
redis.call('SET', ARGV[3] .. ARGV[2], ARGV[1])
redis.call('LREM', KEYS[2], 0, ARGV[2])
redis.call('LPUSH', KEYS[2], ARGV[2])
while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[4]) do
  redis.call('DEL', ARGV[3] .. redis.call('RPOP', KEYS[2]))
end
"""
