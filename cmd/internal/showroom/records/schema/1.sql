-- Version 1. What each table and column is for stands in describe.go.
-- Times are milliseconds since 1970, 0 for none. Random keys and WITHOUT ROWID:
-- the order of rows tells nothing.

CREATE TABLE customers (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  email        TEXT NOT NULL,
  email_key    TEXT NOT NULL UNIQUE,
  phone        TEXT NOT NULL,
  locale       TEXT NOT NULL,
  created      INTEGER NOT NULL,
  last_service INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE appointments (
  id           TEXT PRIMARY KEY,
  showroom     TEXT NOT NULL,
  glasses      TEXT NOT NULL,
  customer     TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  starts       INTEGER NOT NULL,
  ends         INTEGER NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('booked', 'done', 'missed', 'cancelled')),
  conversation TEXT NOT NULL,
  sequence     INTEGER NOT NULL,
  code_hash    TEXT NOT NULL UNIQUE,
  token_hash   TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  phone        TEXT NOT NULL,
  locale       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX appointments_slot ON appointments(glasses, starts) WHERE state = 'booked';
CREATE INDEX appointments_customer ON appointments(customer);
CREATE INDEX appointments_day ON appointments(showroom, starts);

CREATE TABLE conversations (
  id          TEXT PRIMARY KEY,
  showroom    TEXT NOT NULL,
  glasses     TEXT NOT NULL,
  appointment TEXT NOT NULL,
  customer    TEXT REFERENCES customers(id) ON DELETE CASCADE,
  locale      TEXT NOT NULL,
  created     INTEGER NOT NULL,
  started     INTEGER NOT NULL,
  ended       INTEGER NOT NULL,
  state       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  rated       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_customer ON conversations(customer);

CREATE TABLE consents (
  id           TEXT PRIMARY KEY,
  customer     TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  purpose      TEXT NOT NULL,
  text_version TEXT NOT NULL,
  locale       TEXT NOT NULL,
  given        INTEGER NOT NULL,
  confirmed    INTEGER NOT NULL,
  withdrawn    INTEGER NOT NULL,
  token_hash   TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_customer ON consents(customer);

CREATE TABLE deliveries (
  id           TEXT PRIMARY KEY,
  conversation TEXT NOT NULL,
  customer     TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  items        TEXT NOT NULL,
  mail         TEXT NOT NULL,
  at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_customer ON deliveries(customer);
CREATE INDEX deliveries_conversation ON deliveries(conversation);
CREATE INDEX deliveries_at ON deliveries(at);

CREATE TABLE wishes (
  id           TEXT PRIMARY KEY,
  conversation TEXT NOT NULL,
  customer     TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  items        TEXT NOT NULL,
  mailed       TEXT NOT NULL,
  mails        INTEGER NOT NULL,
  asked        INTEGER NOT NULL,
  name         TEXT NOT NULL,
  locale       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX wishes_customer ON wishes(customer);
CREATE INDEX wishes_conversation ON wishes(conversation);

CREATE TABLE staff (
  name     TEXT PRIMARY KEY,
  hash     TEXT NOT NULL,
  role     TEXT NOT NULL CHECK (role IN ('advisor', 'manager')),
  showroom TEXT NOT NULL,
  created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE staff_sessions (
  id      TEXT PRIMARY KEY,
  hash    TEXT NOT NULL UNIQUE,
  staff   TEXT NOT NULL REFERENCES staff(name) ON DELETE CASCADE,
  device  TEXT NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- week '' is the block of conversations that is not full yet, see counters.go.
CREATE TABLE ratings (
  showroom TEXT NOT NULL,
  week     TEXT NOT NULL,
  up       INTEGER NOT NULL,
  down     INTEGER NOT NULL,
  PRIMARY KEY (showroom, week)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
  showroom      TEXT NOT NULL,
  week          TEXT NOT NULL,
  conversations INTEGER NOT NULL,
  seconds       INTEGER NOT NULL,
  photos        INTEGER NOT NULL,
  clips         INTEGER NOT NULL,
  PRIMARY KEY (showroom, week)
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolment_tokens (
  id          TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL,
  name        TEXT NOT NULL,
  label       TEXT NOT NULL,
  serial      TEXT NOT NULL,
  created     INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  used        INTEGER NOT NULL,
  device      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
  id        TEXT PRIMARY KEY,
  name      TEXT NOT NULL,
  label     TEXT NOT NULL,
  serial    TEXT NOT NULL,
  model     TEXT NOT NULL,
  version   TEXT NOT NULL,
  key_hash  TEXT NOT NULL,
  enrolled  INTEGER NOT NULL,
  renewed   INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  revoked   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX devices_name ON devices(name) WHERE revoked = 0;

CREATE TABLE erasures (
  kind TEXT NOT NULL CHECK (kind IN ('customer', 'conversation', 'sweep')),
  id   TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE erased (
  hash TEXT PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE fleet_bundles (
  serial       INTEGER PRIMARY KEY,
  content      TEXT NOT NULL,
  envelope     BLOB NOT NULL,
  author       TEXT NOT NULL,
  reason       TEXT NOT NULL,
  created      INTEGER NOT NULL,
  rollout      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE fleet_devices (
  device    TEXT PRIMARY KEY,
  labels    TEXT NOT NULL,
  report    TEXT NOT NULL,
  effective TEXT NOT NULL,
  base      TEXT NOT NULL,
  health    TEXT NOT NULL,
  model     TEXT NOT NULL,
  seen      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE fleet_managers (
  name    TEXT PRIMARY KEY,
  hash    TEXT NOT NULL UNIQUE,
  created INTEGER NOT NULL,
  revoked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each entry has the hash of the one before in its own.
CREATE TABLE fleet_audit (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  who    TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  reason TEXT NOT NULL,
  hash   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER fleet_audit_stays BEFORE UPDATE ON fleet_audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER fleet_audit_keeps BEFORE DELETE ON fleet_audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
