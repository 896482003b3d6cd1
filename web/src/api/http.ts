/** Requests to the server, and what went wrong with one. */

import type { WireProblem } from './wire'

export const API = '/api/v1'

/** Longer than a sync over a slow network takes; a request without end would leave a skeleton for ever. */
const TIMEOUT_MS = 60_000

/** A request that did not succeed, in words for people; `code` is the server's, or `unreachable`. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed'

  constructor(
    message: string,
    readonly code: string,
    readonly status: number,
    readonly help: string | null = null,
  ) {
    super(message)
  }
}

export function getJson<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
  const search = new URLSearchParams(query).toString()
  return ask<T>(search === '' ? path : `${path}?${search}`, {})
}

export function postJson<T>(path: string, body: Readonly<Record<string, unknown>>): Promise<T> {
  return ask<T>(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** Read at most so many bytes of the end of something, and how many there are before. */
export async function getEnd(url: string, most: number): Promise<{ bytes: Uint8Array; skipped: number }> {
  const response = await answerTo(url, { headers: { Range: `bytes=-${most}` } })
  // Nothing has no range.
  if (response.status === 416) return { bytes: new Uint8Array(), skipped: 0 }
  if (!response.ok) throw await failureOf(response)
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
  return { bytes: new Uint8Array(await response.arrayBuffer()), skipped: Number(start ?? 0) }
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  const response = await answerTo(API + path, init)
  if (!response.ok) throw await failureOf(response)
  return (await response.json()) as T
}

async function answerTo(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RequestFailed(`The server does not answer (${reason}).`, 'unreachable', 0)
  }
}

async function failureOf(response: Response): Promise<RequestFailed> {
  try {
    const problem = (await response.json()) as Partial<WireProblem>
    const words = problem.detail ?? problem.title
    if (words !== undefined) {
      return new RequestFailed(words, problem.code ?? 'unknown', response.status, problem.help ?? null)
    }
  } catch {
    // A proxy's page is no problem document: its status has to do.
  }
  return new RequestFailed(`The server answers ${response.status} ${response.statusText}.`, 'unknown', response.status)
}
