import { afterEach, expect, test, vi } from 'vitest'
import { readRuns } from './runs'

afterEach(() => {
  vi.unstubAllGlobals()
})

test('an empty page that is not the last is gone on from', async () => {
  const asked: (string | null)[] = []
  const pages = [
    { runs: [], next: '2.2', as_of: 'a.1' },
    { runs: [], next: '1.1', as_of: 'a.2' },
    { runs: [], next: null, as_of: 'a.3' },
  ]
  vi.stubGlobal('fetch', (url: string) => {
    asked.push(new URL(url, 'http://here').searchParams.get('cursor'))
    return Promise.resolve(new Response(JSON.stringify(pages.shift()), { headers: { 'content-type': 'application/json' } }))
  })
  const page = await readRuns({ jobId: null, states: ['failure'] }, { limit: 10 })
  expect(asked).toEqual([null, '2.2', '1.1'])
  // Later than the first answer something may have changed that no page holds.
  expect(page).toEqual({ runs: [], next: null, asOf: 'a.1' })
})
