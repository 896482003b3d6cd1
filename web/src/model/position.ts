/** Positions in the server's event stream: `<server start>.<sequence>`. */

/** Whether what was read at `position` already holds everything up to `wanted`. */
export function covers(position: string, wanted: string): boolean {
  const [epoch, sequence] = split(position)
  const [wantedEpoch, wantedSequence] = split(wanted)
  return epoch === wantedEpoch && sequence >= wantedSequence
}

/** Whether two positions were given by one and the same start of the server. */
export function sameEpoch(one: string, other: string): boolean {
  return split(one)[0] === split(other)[0]
}

function split(position: string): [epoch: string, sequence: number] {
  const dot = position.lastIndexOf('.')
  const sequence = Number(position.slice(dot + 1))
  return [position.slice(0, Math.max(0, dot)), Number.isFinite(sequence) ? sequence : -1]
}
