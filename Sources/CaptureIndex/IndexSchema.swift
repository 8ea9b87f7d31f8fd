import GRDB

/// The tables and views of `index.sqlite`, documented for whoever opens it with `sqlite3`.
///
/// The index is derived: deleting it loses nothing, `zcap reindex` makes it again. Times are Unix
/// nanoseconds, sizes are bytes, sequences count messages from the start of the capture.
enum IndexSchema {
  /// `PRAGMA user_version`. An index of another version is made anew, never migrated.
  static let version = 6

  static func create(_ database: Database) throws {
    try database.execute(sql: tables)
    try database.execute(sql: views)
    try database.execute(sql: "PRAGMA user_version = \(version)")
  }

  private static let tables = """
    -- One row: what was indexed, by which rule, and how far.
    CREATE TABLE progress (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      capture TEXT NOT NULL,           -- the UUID in capture.json
      topic_rule TEXT NOT NULL,
      sequence_rules TEXT NOT NULL,    -- a line each: counter fields in payloads
      codec_rules TEXT NOT NULL,       -- a line each: what frames are by the user's word
      segment INTEGER NOT NULL,        -- the walk goes on here:
      offset INTEGER NOT NULL,         --   bytes from the start of the segment
      sequence INTEGER NOT NULL,       --   the sequence expected there
      missing INTEGER NOT NULL,        -- messages that were recorded and are not there any more
      retired INTEGER NOT NULL,        -- messages that made room in a ring, lost ones included
      lost_on_the_way INTEGER NOT NULL, -- messages that events and counters tell to be lost
      recorded_events INTEGER NOT NULL, -- rows of event, and those too many for it: as recorded,
      derived_events INTEGER NOT NULL, --   and as counters tell
      next_event INTEGER NOT NULL,     -- the id of the next one
      damages INTEGER NOT NULL,        -- rows of damage
      damaged_bytes_unlisted INTEGER NOT NULL, -- bytes of damage too much for it
      last_time_ns INTEGER,            -- of the last record
      open_block INTEGER,              -- the block that the next message may belong to
      counter_limit_told INTEGER NOT NULL
    );

    CREATE TABLE endpoint (id INTEGER PRIMARY KEY, address TEXT NOT NULL);

    -- Topics are bytes. 0 is the row of messages without a topic, its name is NULL.
    CREATE TABLE topic (id INTEGER PRIMARY KEY, name BLOB);

    -- The tags of a message's frames, joined by '|'.
    CREATE TABLE codec (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE);

    -- Running totals of each endpoint, topic and codec tag; 0 messages where all made room.
    CREATE TABLE summary (
      id INTEGER PRIMARY KEY,
      endpoint INTEGER NOT NULL REFERENCES endpoint,
      topic INTEGER NOT NULL REFERENCES topic,
      codec INTEGER NOT NULL REFERENCES codec,
      messages INTEGER NOT NULL,
      bytes INTEGER NOT NULL,
      first_time_ns INTEGER NOT NULL,
      last_time_ns INTEGER NOT NULL
    );

    -- Runs of messages that lie together: what a seek finds, to walk one block at most.
    CREATE TABLE block (
      id INTEGER PRIMARY KEY,
      segment INTEGER NOT NULL,
      offset INTEGER NOT NULL,
      end_offset INTEGER NOT NULL,
      first_sequence INTEGER NOT NULL,
      messages INTEGER NOT NULL,
      first_time_ns INTEGER NOT NULL,
      last_time_ns INTEGER NOT NULL
    );

    -- Which summaries a block has messages of, and how many.
    CREATE TABLE block_summary (
      block INTEGER NOT NULL REFERENCES block,
      summary INTEGER NOT NULL REFERENCES summary,
      messages INTEGER NOT NULL,
      bytes INTEGER NOT NULL,
      first_time_ns INTEGER NOT NULL,
      last_time_ns INTEGER NOT NULL,
      PRIMARY KEY (block, summary)
    ) WITHOUT ROWID;

    -- What the frames of a topic mean from a message on; '-' where no frame was seen yet. Behind a tag
    -- stands '?' where it is a guess and '~' where it is likely, nothing where it is certain.
    CREATE TABLE era (
      endpoint INTEGER NOT NULL,
      topic INTEGER NOT NULL,
      first_sequence INTEGER NOT NULL,
      tags TEXT NOT NULL,
      PRIMARY KEY (endpoint, topic, first_sequence)
    ) WITHOUT ROWID;

    -- Messages that were recorded and are not there any more, and where that was found out.
    CREATE TABLE missing (
      first_sequence INTEGER PRIMARY KEY,
      messages INTEGER NOT NULL,
      unexplained INTEGER NOT NULL,    -- those that are not part of the gap of a counter
      segment INTEGER NOT NULL,
      offset INTEGER NOT NULL,
      time_ns INTEGER                  -- of the record before
    );

    -- What happened, in the order of the stream: as recorded, and what counters tell.
    CREATE TABLE event (
      id INTEGER PRIMARY KEY,
      first_sequence INTEGER NOT NULL, -- of the next message at its place, or of its own message
      segment INTEGER NOT NULL,
      offset INTEGER NOT NULL,
      time_ns INTEGER NOT NULL,
      kind TEXT NOT NULL,
      endpoint INTEGER,                -- NULL where it is about none
      lost INTEGER NOT NULL,           -- messages; less than 0 where some came late after all
      detail TEXT NOT NULL             -- JSON
    );

    -- Bytes of segments that hold no valid record.
    CREATE TABLE damage (
      segment INTEGER NOT NULL,
      offset INTEGER NOT NULL,
      end_offset INTEGER NOT NULL,
      reason TEXT NOT NULL,
      is_unreadable INTEGER NOT NULL,  -- a whole segment
      time_ns INTEGER,                 -- of the record before
      PRIMARY KEY (segment, offset)
    ) WITHOUT ROWID;

    -- What is known of segments: damage of what was on stable storage is corruption, the rest is
    -- the tear of a machine that lost its power.
    CREATE TABLE segment (
      number INTEGER PRIMARY KEY,
      durable_offset INTEGER NOT NULL, -- up to here by a checkpoint
      is_sealed INTEGER NOT NULL,      -- all of it by a footer
      recovered_bytes INTEGER          -- damage that was there when it was recovered
    );

    -- The counters that sequence_rules name, as the walk goes on with them.
    CREATE TABLE counter (
      id INTEGER PRIMARY KEY,
      endpoint INTEGER NOT NULL,
      topic INTEGER NOT NULL,
      rule INTEGER NOT NULL,           -- the line of progress.sequence_rules, from 0
      last TEXT,                       -- the newest number
      last_sequence INTEGER NOT NULL,  -- of the message that had it
      is_unreadable INTEGER NOT NULL,  -- a message was too short for it
      gaps TEXT NOT NULL               -- first number, count, lost; the next after a comma
    );
    """

  private static let views = """
    -- Which topics, how many, when, which codec.
    CREATE VIEW topics AS
      SELECT endpoint.address AS endpoint, CAST(topic.name AS TEXT) AS topic, codec.tag AS codec,
        summary.messages, summary.bytes,
        strftime('%Y-%m-%dT%H:%M:%fZ', first_time_ns / 1e9, 'unixepoch') AS first,
        strftime('%Y-%m-%dT%H:%M:%fZ', last_time_ns / 1e9, 'unixepoch') AS last
      FROM summary JOIN endpoint ON endpoint.id = summary.endpoint
        JOIN topic ON topic.id = summary.topic JOIN codec ON codec.id = summary.codec
      WHERE summary.messages > 0 ORDER BY summary.endpoint, topic.name, codec.tag;

    -- Damage, and whether it is corruption.
    CREATE VIEW damages AS
      SELECT damage.segment, damage.offset, damage.end_offset, damage.reason, damage.time_ns,
        CASE
          WHEN is_unreadable THEN 1
          WHEN offset < coalesce(segment.durable_offset, 0) THEN 1
          WHEN recovered_bytes IS NOT NULL THEN recovered_bytes < whole.bytes
          WHEN is_sealed THEN 1
          ELSE damage.segment < coalesce(
            (SELECT max(number) FROM segment WHERE durable_offset > 0), 0)
        END AS is_corruption
      FROM damage
        JOIN (SELECT segment, sum(end_offset - offset) AS bytes FROM damage GROUP BY segment)
          AS whole ON whole.segment = damage.segment
        LEFT JOIN segment ON segment.number = damage.segment;

    -- The capture in one row.
    CREATE VIEW capture AS
      SELECT progress.capture, coalesce(sum(messages), 0) AS messages,
        coalesce(sum(bytes), 0) AS bytes,
        count(DISTINCT CASE WHEN topic > 0 THEN topic END) AS topics,
        max(0, progress.missing + progress.lost_on_the_way) AS lost,
        strftime('%Y-%m-%dT%H:%M:%fZ', min(first_time_ns) / 1e9, 'unixepoch') AS start,
        strftime('%Y-%m-%dT%H:%M:%fZ', max(last_time_ns) / 1e9, 'unixepoch') AS "end"
      FROM progress LEFT JOIN summary ON summary.messages > 0;

    -- Messages per second of time, from whole blocks.
    CREATE VIEW activity AS
      SELECT strftime('%Y-%m-%dT%H:%M:%SZ', first_time_ns / 1000000000, 'unixepoch') AS second,
        sum(messages) AS messages, sum(end_offset - offset) AS bytes
      FROM block GROUP BY first_time_ns / 1000000000;
    """
}
