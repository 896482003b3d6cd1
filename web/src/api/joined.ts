/** Joins what was read by REST with the stream, so that nothing falls between. */

import { covers } from '@/model/position'
import type { FeedMessage } from './feed'
import type { Listener } from './live'

export type Change = Extract<FeedMessage, { kind: 'change' }>

export interface JoinedPage<P extends { asOf: string }> {
  read(): Promise<P>
  /** Take a freshly read page; everything from before is void. */
  show(page: P): void
  change(change: Change): void
  failed(error: unknown): void
}

/** Changes kept while a page is read; more than this and reading again is cheaper. */
const MAX_WAITING = 10_000

export class Joined<P extends { asOf: string }> {
  private reading = false
  private again = false
  private asOf: string | null = null
  private wanted: string | null = null
  private waiting: Change[] = []
  private readonly leave: () => void
  private closed = false
  private subscribed = false

  constructor(
    source: { subscribe(listener: Listener): () => void },
    private readonly page: JoinedPage<P>,
  ) {
    this.leave = source.subscribe((message) => {
      this.hear(message)
    })
    this.subscribed = true
    void this.refresh()
  }

  close(): void {
    this.closed = true
    this.leave()
  }

  /** Read again; a call while reading reads once more afterwards. */
  async refresh(): Promise<void> {
    if (this.reading) {
      this.again = true
      return
    }
    this.reading = true
    do {
      this.again = false
      this.waiting = []
      await this.readOnce()
    } while (this.again && !this.closed)
    this.reading = false
  }

  private async readOnce(): Promise<void> {
    try {
      const page = await this.page.read()
      if (this.closed || this.again) return
      this.asOf = page.asOf
      this.page.show(page)
      for (const change of this.waiting.splice(0)) this.apply(change)
      if (this.wanted !== null && !covers(page.asOf, this.wanted)) this.again = true
      this.wanted = null
    } catch (error) {
      if (!this.closed) this.page.failed(error)
    }
  }

  private hear(message: FeedMessage): void {
    if (message.kind === 'reset') this.want(message.asOf)
    if (message.kind !== 'change') return
    if (!this.reading) this.apply(message)
    else if (this.waiting.length < MAX_WAITING) this.waiting.push(message)
    else this.again = true
  }

  private want(position: string): void {
    if (this.asOf !== null && covers(this.asOf, position)) return
    this.wanted = position
    // While reading, the page that comes may cover it already.
    if (!this.reading && this.subscribed) void this.refresh()
  }

  private apply(change: Change): void {
    if (this.asOf !== null && covers(this.asOf, change.position)) return
    this.page.change(change)
  }
}
