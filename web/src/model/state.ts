/** The states of a run, and everything about how a state looks: shape and colour stand here only. */

export const STATES = [
  'scheduled',
  'waiting',
  'starting',
  'running',
  'stopping',
  'success',
  'failure',
  'error',
  'skipped',
] as const

export type State = (typeof STATES)[number]

export interface Look {
  label: string
  /** The name of a colour property in `styles/tokens.css`, without its dashes. */
  colour: string
  /** Outlines and fillings in a box of 16 by 16. */
  strokes: readonly string[]
  fills: readonly string[]
  /** Whether the mark beats slowly: something is happening right now. */
  beats: boolean
}

const RING = 'M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 1 0 0-12.5z'

export const LOOKS: Record<State, Look> = {
  scheduled: look('scheduled', 'grey', [RING, 'M8 4.5V8l2.5 1.75']),
  waiting: look('waiting', 'violet', [RING, 'M6.25 5.5v5M9.75 5.5v5']),
  starting: look('starting', 'blue', [RING], ['M8 8V1.75A6.25 6.25 0 0 1 14.25 8z']),
  running: { ...look('running', 'blue', [RING], ['M8 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8z']), beats: true },
  stopping: look('stopping', 'amber', [RING], ['M8 1.75a6.25 6.25 0 0 1 0 12.5z']),
  success: look('success', 'green', ['M2.5 8.75l3.5 3.5 7.5-8.5']),
  failure: look('failure', 'red', ['M3.25 3.25l9.5 9.5M12.75 3.25l-9.5 9.5']),
  error: look('error', 'red', ['M2 2h12v12H2z', 'M8 4.75v4M8 11v.5']),
  skipped: look('skipped', 'grey', ['M2 11a5.5 5.5 0 0 1 11-.5', 'M10 8.25l3 2.5 2.25-3']),
}

const FINAL: ReadonlySet<State> = new Set<State>(['success', 'failure', 'error', 'skipped'])
const ACTIVE: ReadonlySet<State> = new Set<State>(['starting', 'running', 'stopping'])

export function isFinal(state: State): boolean {
  return FINAL.has(state)
}

/** Whether a process may exist for a run in this state. */
export function isActive(state: State): boolean {
  return ACTIVE.has(state)
}

export function isState(word: string): word is State {
  return (STATES as readonly string[]).includes(word)
}

function look(label: string, colour: string, strokes: string[], fills: string[] = []): Look {
  return { label, colour, strokes, fills, beats: false }
}
