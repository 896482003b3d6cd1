import { describe, expect, it } from 'vitest'
import type { FeedMessage } from './feed'
import { Joined, type JoinedPage } from './joined'
import type { Listener } from './live'

interface Page {
  asOf: string
}

/** A feed and a server that answer when they are told to. */
class Stage implements JoinedPage<Page> {
  readonly story: string[] = []
  private listener: Listener = () => undefined
  private answers: ((page: Page) => void)[] = []
  private failures: ((error: Error) => void)[] = []
  readonly joined: Joined<Page>

  constructor(greeting: FeedMessage[] = []) {
    this.joined = new Joined(
      {
        subscribe: (listener) => {
          this.listener = listener
          greeting.forEach(listener)
          return () => (this.listener = () => undefined)
        },
      },
      this,
    )
  }

  read(): Promise<Page> {
    this.story.push('read')
    return new Promise((resolve, reject) => {
      this.answers.push(resolve)
      this.failures.push(reject)
    })
  }

  show(page: Page): void {
    this.story.push(`show ${page.asOf}`)
  }

  change(change: { position: string }): void {
    this.story.push(`change ${change.position}`)
  }

  failed(): void {
    this.story.push('failed')
  }

  hear(position: string): void {
    const data = { run_id: 'r', job_id: 'j' }
    this.listener({ kind: 'change', name: 'run-withdrawn', position, data })
  }

  reset(asOf: string): void {
    this.listener({ kind: 'reset', asOf })
  }

  async answer(asOf: string): Promise<void> {
    this.answers.shift()?.({ asOf })
    this.failures.shift()
    await settled()
  }

  async fail(): Promise<void> {
    this.answers.shift()
    this.failures.shift()?.(new Error('down'))
    await settled()
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
}

describe('a page joined with the stream', () => {
  it('lays what came while it was read over it, but not what it holds already', async () => {
    const stage = new Stage()
    stage.hear('s.4')
    stage.hear('s.6')
    await stage.answer('s.5')
    stage.hear('s.7')
    expect(stage.story).toEqual(['read', 'show s.5', 'change s.6', 'change s.7'])
  })

  it('is read again after a reset', async () => {
    const stage = new Stage()
    await stage.answer('s.5')
    stage.reset('t.1')
    await stage.answer('t.2')
    expect(stage.story).toEqual(['read', 'show s.5', 'read', 'show t.2'])
  })

  it('is read once when it holds what the stream begins with', async () => {
    const stage = new Stage([{ kind: 'reset', asOf: 's.5' }])
    await stage.answer('s.5')
    expect(stage.story).toEqual(['read', 'show s.5'])
  })

  it('is read again when it was older than what the stream begins with', async () => {
    const stage = new Stage()
    stage.reset('s.9')
    await stage.answer('s.5')
    await stage.answer('s.9')
    expect(stage.story).toEqual(['read', 'show s.5', 'read', 'show s.9'])
  })

  it('takes another server start for a new world', async () => {
    const stage = new Stage()
    await stage.answer('s.500')
    stage.reset('t.1')
    stage.hear('t.2')
    await stage.answer('t.1')
    expect(stage.story).toEqual(['read', 'show s.500', 'read', 'show t.1', 'change t.2'])
  })

  it('says that reading failed, and reads when the stream is back', async () => {
    const stage = new Stage()
    await stage.fail()
    stage.reset('t.1')
    await stage.answer('t.1')
    expect(stage.story).toEqual(['read', 'failed', 'read', 'show t.1'])
  })

  it('is silent once it is closed', async () => {
    const stage = new Stage()
    stage.joined.close()
    await stage.answer('s.5')
    stage.hear('s.6')
    expect(stage.story).toEqual(['read'])
  })
})
