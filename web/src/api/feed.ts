/**
 * The one stream of `/events`: reconnects by itself, resumes where it was, and says when it could not.
 *
 * Runs in the SharedWorker, and in the tab where there is none, so it knows no window. A `reset` message
 * means: what was read before `asOf` may miss something, read again.
 */

import {
  backoffMs,
  DEAD_MS,
  DOWN_AFTER,
  LATE_MS,
  type Connection,
  type ConnectionState,
} from '@/model/connection'
import { sameEpoch } from '@/model/position'
import { API } from './http'
import type { WireEvents } from './wire'

export type ChangeName = 'run' | 'run-withdrawn' | 'jobs' | 'sync'

export type FeedMessage =
  | { kind: 'connection'; connection: Connection }
  | { kind: 'reset'; asOf: string }
  | { [N in ChangeName]: { kind: 'change'; name: N; position: string; data: WireEvents[N] } }[ChangeName]

const CHANGES: readonly ChangeName[] = ['run', 'run-withdrawn', 'jobs', 'sync']
const CHECK_MS = 1_000
/** Skew below this is the network's, not the clocks'. */
const SKEW_MS = 1_500

export class Feed {
  private source: EventSource | null = null
  private retry: ReturnType<typeof setTimeout> | null = null
  private check: ReturnType<typeof setInterval> | null = null
  private failures = 0
  private connection: Connection = { state: 'connecting', lastEventAt: null, skewMs: 0 }
  /** Where to go on from; null: nothing is known, begin with what comes. */
  private position: string | null = null
  private joinedAt: string | null = null

  constructor(private readonly emit: (message: FeedMessage) => void) {}

  /** What a reader who comes later has missed. */
  greeting(): FeedMessage[] {
    const messages: FeedMessage[] = [{ kind: 'connection', connection: this.connection }]
    if (this.joinedAt !== null) messages.push({ kind: 'reset', asOf: this.joinedAt })
    return messages
  }

  open(): void {
    if (this.check !== null) return
    this.check = setInterval(() => {
      this.watch()
    }, CHECK_MS)
    this.connect()
  }

  close(): void {
    if (this.check !== null) clearInterval(this.check)
    if (this.retry !== null) clearTimeout(this.retry)
    this.source?.close()
    this.source = this.check = this.retry = null
    this.position = this.joinedAt = null
    this.failures = 0
    this.connection = { state: 'connecting', lastEventAt: null, skewMs: 0 }
  }

  private connect(): void {
    this.retry = null
    const after = this.position === null ? '' : `?after=${encodeURIComponent(this.position)}`
    const source = new EventSource(`${API}/events${after}`)
    this.source = source
    const on = <N extends keyof WireEvents>(name: N, handle: (data: WireEvents[N], id: string) => void): void => {
      source.addEventListener(name, (event) => {
        if (this.source !== source) return
        this.heard()
        handle(JSON.parse(event.data as string) as WireEvents[N], event.lastEventId)
      })
    }
    on('hello', (data) => {
      this.hello(data.as_of)
    })
    on('reset', (data) => {
      this.restart(data.as_of)
    })
    on('ping', (data) => {
      this.measure(Date.parse(data.time))
    })
    on('bye', () => {
      this.lost()
    })
    for (const name of CHANGES) {
      on(name, (data, id) => {
        if (id !== '') this.position = id
        this.emit({ kind: 'change', name, position: id, data } as FeedMessage)
      })
    }
    source.onerror = () => {
      if (this.source === source) this.lost()
    }
  }

  /** Without a position of this start of the server, nobody knows what was missed. */
  private hello(asOf: string): void {
    if (this.position === null || !sameEpoch(this.position, asOf)) this.restart(asOf)
  }

  private restart(asOf: string): void {
    if (this.position === asOf && this.joinedAt === asOf) return
    this.position = this.joinedAt = asOf
    this.emit({ kind: 'reset', asOf })
  }

  private heard(): void {
    this.failures = 0
    this.show('live', Date.now())
  }

  private lost(): void {
    this.source?.close()
    this.source = null
    this.failures += 1
    this.show(this.failures >= DOWN_AFTER ? 'down' : 'reconnecting', this.connection.lastEventAt)
    this.retry ??= setTimeout(() => {
      this.connect()
    }, backoffMs(this.failures, Math.random()))
  }

  private watch(): void {
    const { state, lastEventAt } = this.connection
    if (lastEventAt === null || (state !== 'live' && state !== 'late')) return
    const silent = Date.now() - lastEventAt
    if (silent > DEAD_MS) this.lost()
    else if (silent > LATE_MS) this.show('late', lastEventAt)
  }

  private measure(serverTime: number): void {
    const skew = serverTime - Date.now()
    const skewMs = Math.abs(skew) < SKEW_MS ? 0 : skew
    if (Math.abs(skewMs - this.connection.skewMs) > SKEW_MS / 2) this.show('live', Date.now(), skewMs)
  }

  private show(state: ConnectionState, lastEventAt: number | null, skewMs = this.connection.skewMs): void {
    const before = this.connection
    this.connection = { state, lastEventAt, skewMs }
    // The age of the last event is for hovering: telling it once a second is enough.
    const due = Math.floor((before.lastEventAt ?? 0) / 1000) !== Math.floor((lastEventAt ?? 0) / 1000)
    if (before.state !== state || before.skewMs !== skewMs || due) {
      this.emit({ kind: 'connection', connection: this.connection })
    }
  }
}
