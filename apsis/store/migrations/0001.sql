-- The first schema. Instants are milliseconds since 1970-01-01T00:00Z.

create table fact (
    name text primary key,
    value text not null
) without rowid;

-- A run in summary. The truth about what happened to it is run_log.
create table run (
    seq integer primary key,
    run_id text not null unique,
    job_id text not null,
    args text not null,
    state text not null check (state in (
        'scheduled', 'waiting', 'starting', 'running', 'stopping', 'success', 'failure', 'error', 'skipped')),
    schedule_time integer not null,
    nominal_time integer not null,
    attempt integer not null check (attempt >= 1),
    rerun_of text,
    label text,
    labels text not null,
    adhoc integer not null check (adhoc in (0, 1)),
    repo text not null,
    revision text,
    path text,
    blob text,
    timed_out integer not null check (timed_out in (0, 1)),
    message text,
    log_length integer not null
) strict;

create index run_time on run (schedule_time, seq);
create index run_job on run (job_id, schedule_time, seq);
create index run_state on run (state, schedule_time, seq);
create index run_instance on run (job_id, args, state);
create index run_rerun on run (rerun_of) where rerun_of is not null;
create index run_unfinished on run (state) where state in ('scheduled', 'waiting', 'starting', 'running', 'stopping');

create table run_arg (
    job_id text not null,
    name text not null,
    value text not null,
    schedule_time integer not null,
    seq integer not null,
    primary key (job_id, name, value, schedule_time, seq)
) strict, without rowid;

create index run_arg_value on run_arg (name, value, schedule_time, seq);

create table run_log (
    run_id text not null,
    seq integer not null check (seq >= 1),
    time integer not null,
    state text not null,
    message text not null,
    who text,
    primary key (run_id, seq)
) strict, without rowid;

-- The bound program and conditions, JSON.
create table run_bound (
    run_id text primary key,
    bound text not null
) strict, without rowid;

create table run_meta (
    run_id text primary key,
    meta text not null
) strict, without rowid;

-- A finished attempt's output; a large one lies in a file beside the database, and data is null.
create table run_output (
    run_id text not null,
    attempt integer not null,
    length integer not null check (length >= 0),
    sha256 text not null,
    data blob,
    primary key (run_id, attempt)
) strict;

-- How far each job's schedules were turned into runs; with remake, what is coming is still the old job's.
create table planned (
    job_id text primary key,
    until integer not null,
    remake integer not null check (remake in (0, 1))
) strict, without rowid;

-- What was decided about each revision of a repository.
create table revision (
    seq integer primary key,
    repo text not null,
    revision text not null,
    author text,
    time integer not null,
    message text not null,
    verdict text not null check (verdict in ('applied', 'rejected')),
    decided_at integer not null,
    difference text not null,
    findings text not null
) strict;

create index revision_repo on revision (repo, seq);

-- The files of the applied revision of each repository.
create table applied_file (
    repo text not null,
    path text not null,
    blob text not null,
    primary key (repo, path)
) strict, without rowid;

-- The text of every job version that was ever applied, by git blob id.
create table job_version (
    blob text primary key,
    text text not null
) strict, without rowid;
