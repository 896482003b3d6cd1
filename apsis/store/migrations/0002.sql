-- Attempts and deadlines of runs, messages to be delivered, what was missed, counters, and what the archive needs.

alter table run add column due integer;
alter table run add column breached text not null default '[]';

-- Runs by state, kept by the triggers below: counting millions takes half a second.
create table run_count (
    state text primary key,
    count integer not null check (count >= 0)
) strict, without rowid;

insert into run_count select column1, (select count(*) from run where state = column1) from (values
    ('scheduled'), ('waiting'), ('starting'), ('running'), ('stopping'), ('success'), ('failure'), ('error'), ('skipped'));

create trigger run_inserted after insert on run begin
    update run_count set count = count + 1 where state = new.state;
end;

create trigger run_moved after update of state on run when old.state <> new.state begin
    update run_count set count = count - 1 where state = old.state;
    update run_count set count = count + 1 where state = new.state;
end;

create trigger run_deleted after delete on run begin
    update run_count set count = count - 1 where state = old.state;
end;

-- A message that somebody outside must get; the row goes when it is settled. Without next_at it is set aside: it cannot
-- be read, and error says why.
create table delivery (
    key text primary key,
    run_id text not null,
    message text not null,
    event text not null,
    created integer not null,
    tries integer not null check (tries >= 0),
    next_at integer,
    error text
) strict;

create index delivery_next on delivery (next_at, created) where next_at is not null;
create index delivery_run on delivery (run_id);

-- Tries to deliver that are over, by type of message.
create table delivery_count (
    type text primary key,
    delivered integer not null,
    failed integer not null
) strict, without rowid;

-- Times of schedules that passed while nobody was there, and get no runs.
create table missed (
    seq integer primary key,
    job_id text not null,
    schedule text not null,
    count integer not null check (count >= 1),
    first integer not null,
    last integer not null,
    reason text not null,
    at integer not null
) strict;

create index missed_job on missed (job_id, seq);

-- The final states that an instance had in runs that are in an archive: dependencies on them still hold.
create table archived_instance (
    job_id text not null,
    args text not null,
    state text not null check (state in ('success', 'failure', 'error', 'skipped')),
    primary key (job_id, args, state)
) strict, without rowid;

-- Output files that an archive has and this database no longer names; they are deleted when nobody copies them.
create table archived_file (
    run_id text not null,
    attempt integer not null,
    primary key (run_id, attempt)
) strict, without rowid;

-- Large outputs, which lie in files.
create index run_output_file on run_output (run_id, attempt, length) where data is null;
