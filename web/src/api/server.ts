/** The resources `/catch-up` and `/pools`. */

import type { CatchUp, Pool } from '@/model/server'
import { getJson, postJson } from './http'
import { catchUpOf, poolsOf } from './mapping'
import type { WireCatchUp, WirePoolList } from './wire'

export async function readCatchUp(): Promise<{ catchUp: CatchUp; asOf: string }> {
  const wire = await getJson<WireCatchUp>('/catch-up')
  return { catchUp: catchUpOf(wire), asOf: wire.as_of }
}

/** Let go of what the server holds; answers what is still due and not started. */
export async function releaseHeld(): Promise<CatchUp> {
  return catchUpOf(await postJson<WireCatchUp>('/catch-up/release', {}))
}

export async function readPools(): Promise<{ pools: Pool[]; asOf: string }> {
  const wire = await getJson<WirePoolList>('/pools')
  return { pools: poolsOf(wire), asOf: wire.as_of }
}
