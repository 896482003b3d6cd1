/** Escape sequences of a terminal: colours are kept, all others left out, broken ones made text. */

/* eslint-disable no-control-regex -- control characters are what this is about */

/** A whole sequence: CSI, OSC, or one of two or three characters. None goes on over an escape or a line's end. */
const WHOLE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]+[0-~]|[0-Z\\^-~])/g
/** What may yet become one. */
const BEGUN = /\u001b(?:\[[0-?]*[ -/]*|\][^\u0007\u001b]*\u001b?|[ -/]*)$/
const COLOUR = /^\u001b\[[\d;]*m$/

/** Characters that a sequence may take to end: a link's address, and no more. */
const MOST_HELD = 2_000

/** The text of one output, which comes in pieces: a sequence cut in two is held until its end comes. */
export class EscapeFilter {
  private held = ''

  /** Take the next text within a line; what may be shown already is returned. */
  take(text: string): string {
    let all = this.held + text
    const begun = BEGUN.exec(all)?.[0] ?? ''
    this.held = begun.length > MOST_HELD ? '' : begun
    if (this.held !== '') all = all.slice(0, -this.held.length)
    return colours(all)
  }

  /** The line is over: what is held was no sequence, and is text. */
  end(): string {
    const rest = this.held
    this.held = ''
    return colours(rest)
  }
}

function colours(text: string): string {
  if (!text.includes('\u001b')) return text
  const marked = text.replace(WHOLE, (sequence) => (COLOUR.test(sequence) ? sequence : ''))
  return marked.replace(/\u001b(?!\[[\d;]*m)/g, '')
}
