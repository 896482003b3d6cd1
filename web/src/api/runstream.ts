/** The stream of one run: its changes, log, metadata and output, resumed by what was received. */

import { backoffMs } from '@/model/connection'
import { bytesOf, unseen } from '@/model/output'
import type { LogEntry, Run } from '@/model/run'
import { isFinal } from '@/model/state'
import { API } from './http'
import { logEntryOf, runOf } from './mapping'
import type { WireRunEvents } from './wire'

export interface RunListener {
  run(run: Run): void
  log(entry: LogEntry): void
  meta(meta: Readonly<Record<string, unknown>>): void
  output(bytes: Uint8Array): void
  /** Output begins anew: another attempt. */
  restarted(): void
  /** All was sent; nothing more comes. */
  ended(): void
}

export class RunStream {
  private source: EventSource | null = null
  private retry: ReturnType<typeof setTimeout> | null = null
  private failures = 0
  private attempt: number | null = null
  private final = false

  /** Output is sent from byte `offset` on. */
  constructor(
    private readonly id: string,
    private offset: number,
    private readonly listener: RunListener,
  ) {
    this.connect()
  }

  close(): void {
    this.source?.close()
    this.source = null
    if (this.retry !== null) clearTimeout(this.retry)
    this.retry = null
  }

  private connect(): void {
    this.retry = null
    const source = new EventSource(`${API}/runs/${encodeURIComponent(this.id)}/events?init=1&offset=${this.offset}`)
    this.source = source
    const on = <N extends keyof WireRunEvents>(name: N, handle: (data: WireRunEvents[N]) => void): void => {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (this.source !== source) return
        this.failures = 0
        handle(JSON.parse(event.data) as WireRunEvents[N])
      })
    }
    on('run', (data) => {
      this.final = isFinal(data.run.state)
      this.listener.run(runOf(data.run))
    })
    on('log', (data) => {
      this.listener.log(logEntryOf(data.entry))
    })
    on('meta', (data) => {
      this.listener.meta(data.meta)
    })
    on('output', (data) => {
      this.output(data)
    })
    source.addEventListener('bye', () => {
      if (this.source === source) this.bye()
    })
    source.onerror = () => {
      if (this.source === source) this.reconnect()
    }
  }

  private output({ attempt, offset, data }: WireRunEvents['output']): void {
    if (this.attempt !== null && attempt !== this.attempt) {
      this.listener.restarted()
      this.offset = 0
    }
    this.attempt = attempt
    const bytes = unseen(this.offset, offset, bytesOf(data))
    // A gap: another attempt began while nobody listened. From what is missing on, again.
    if (bytes === null) this.reconnect()
    else if (bytes.length > 0) {
      this.offset += bytes.length
      this.listener.output(bytes)
    }
  }

  /** Said when a finished run's last byte was sent, and when the server stops. */
  private bye(): void {
    if (!this.final) {
      this.reconnect()
      return
    }
    this.close()
    this.listener.ended()
  }

  private reconnect(): void {
    this.source?.close()
    this.source = null
    this.failures += 1
    this.retry ??= setTimeout(() => {
      this.connect()
    }, backoffMs(this.failures, Math.random()))
  }
}
