/** A run's output as lines with colours, from bytes that arrive in pieces of any size. */

import { AnsiUp } from 'ansi_up'
import { EscapeFilter } from './escapes'

export interface OutputLine {
  /** Unique and rising; stays when lines before it are let go. */
  readonly key: number
  /** From 1; null for the continuation of a line too long for one row. */
  readonly number: number | null
  /** Escaped text in spans of colour. */
  readonly html: string
  /** Characters that went into the row, colours among them. */
  readonly length: number
}

/** Rows kept; the oldest are let go. 100,000 rows of usual width take some 30 MB. */
export const MAX_LINES = 100_000
/** Characters in a row: a longer line goes on in the next row, so that no row grows without end. */
export const MAX_LINE = 4_000

export class OutputText {
  readonly lines: OutputLine[] = []
  /** Rows let go at the beginning. */
  dropped = 0
  private decoder = new TextDecoder()
  private ansi = newAnsi()
  private escapes = new EscapeFilter()
  private open = false
  private returned = false
  private number = 0
  private key = 0

  constructor(
    private readonly maxLines = MAX_LINES,
    private readonly maxLine = MAX_LINE,
  ) {}

  /** Add the next bytes; `last` ends a character that was cut off. */
  push(bytes: Uint8Array, last = false): void {
    this.pushText(this.decoder.decode(bytes, { stream: !last }))
    if (last) this.show(this.escapes.end())
  }

  clear(): void {
    this.lines.length = 0
    this.dropped = 0
    this.decoder = new TextDecoder()
    this.ansi = newAnsi()
    this.escapes = new EscapeFilter()
    this.open = this.returned = false
    this.number = this.key = 0
  }

  private pushText(text: string): void {
    for (const piece of text.split(/(\n|\r)/)) {
      if (piece === '\n') this.endLine()
      else if (piece === '\r') this.returnCarriage()
      else if (piece !== '') this.append(piece)
    }
    if (this.lines.length > this.maxLines) {
      this.dropped += this.lines.splice(0, this.lines.length - this.maxLines).length
    }
  }

  private endLine(): void {
    if (!this.open) this.startRow(++this.number)
    this.show(this.escapes.end())
    this.open = this.returned = false
  }

  private append(text: string): void {
    if (!this.open) this.startRow(++this.number)
    else if (this.returned) this.overwrite()
    this.open = true
    this.returned = false
    this.show(this.escapes.take(text))
  }

  private returnCarriage(): void {
    this.show(this.escapes.end())
    this.returned = true
  }

  /** Add text to the last row, and to new ones where it is full. */
  private show(text: string): void {
    for (let rest = text; rest !== ''; ) {
      let row = this.lines.at(-1)
      if (row === undefined || row.length >= this.maxLine) row = this.startRow(null)
      const part = rest.slice(0, this.maxLine - row.length)
      rest = rest.slice(part.length)
      const html = row.html + this.ansi.ansi_to_html(part)
      this.lines[this.lines.length - 1] = { ...row, html, length: row.length + part.length }
    }
  }

  private startRow(number: number | null): OutputLine {
    const row = { key: this.key++, number, html: '', length: 0 }
    this.lines.push(row)
    return row
  }

  /** A carriage return goes back to the line's beginning, as progress bars do. */
  private overwrite(): void {
    while (this.lines.at(-1)?.number === null) this.lines.pop()
    const row = this.lines.at(-1)
    if (row !== undefined) this.lines[this.lines.length - 1] = { ...row, html: '', length: 0 }
  }
}

function newAnsi(): AnsiUp {
  const ansi = new AnsiUp()
  ansi.use_classes = true
  return ansi
}

/** The bytes of a base64 text. */
export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

/** What of `bytes`, which begin at `offset`, is new to a reader who has everything up to `have`; null at a gap. */
export function unseen(have: number, offset: number, bytes: Uint8Array): Uint8Array | null {
  if (offset > have) return null
  return bytes.subarray(Math.min(bytes.length, have - offset))
}
