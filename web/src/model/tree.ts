/** Jobs as the tree their ids spell, flattened to the rows that are to be seen. */

import type { Job } from './job'

export interface FolderRow {
  readonly kind: 'folder'
  readonly path: string
  readonly name: string
  readonly depth: number
  readonly open: boolean
  readonly jobs: number
  readonly nextAt: number | null
}

export interface JobRow {
  readonly kind: 'job'
  readonly job: Job
  readonly name: string
  readonly depth: number
}

export type TreeRow = FolderRow | JobRow

interface Folder {
  path: string
  name: string
  folders: Map<string, Folder>
  jobs: Job[]
}

/** The visible rows: folders first, by name; a search opens every folder that holds a match. */
export function treeRows(jobs: Iterable<Job>, folded: ReadonlySet<string>, search: string): TreeRow[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const root = plant(jobs, words)
  return rowsOf(root, 0, words.length > 0 ? new Set() : folded)
}

export function matches(job: Job, words: readonly string[]): boolean {
  const text = [job.id, ...job.labels].join(' ').toLowerCase()
  return words.every((word) => text.includes(word))
}

/** The folders above a job id, outermost first: `a/b/c` gives `a` and `a/b`. */
export function foldersAbove(jobId: string): string[] {
  const steps = jobId.split('/').slice(0, -1)
  return steps.map((_, index) => steps.slice(0, index + 1).join('/'))
}

function plant(jobs: Iterable<Job>, words: readonly string[]): Folder {
  const root: Folder = { path: '', name: '', folders: new Map(), jobs: [] }
  for (const job of jobs) {
    if (!matches(job, words)) continue
    let folder = root
    for (const path of foldersAbove(job.id)) folder = folderIn(folder, path)
    folder.jobs.push(job)
  }
  return root
}

function folderIn(parent: Folder, path: string): Folder {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const known = parent.folders.get(name)
  if (known !== undefined) return known
  const folder: Folder = { path, name, folders: new Map(), jobs: [] }
  parent.folders.set(name, folder)
  return folder
}

function rowsOf(folder: Folder, depth: number, folded: ReadonlySet<string>): TreeRow[] {
  const rows: TreeRow[] = []
  for (const inner of [...folder.folders.values()].sort((a, b) => compare(a.name, b.name))) {
    const open = !folded.has(inner.path)
    const { path, name } = inner
    rows.push({ kind: 'folder', path, name, depth, open, ...totals(inner) })
    if (open) rows.push(...rowsOf(inner, depth + 1, folded))
  }
  for (const job of [...folder.jobs].sort((a, b) => compare(a.id, b.id))) {
    rows.push({ kind: 'job', job, name: job.id.slice(job.id.lastIndexOf('/') + 1), depth })
  }
  return rows
}

function totals(folder: Folder): { jobs: number; nextAt: number | null } {
  let jobs = folder.jobs.length
  let nextAt = Infinity
  for (const job of folder.jobs) nextAt = Math.min(nextAt, job.next?.dueAt ?? Infinity)
  for (const inner of folder.folders.values()) {
    const below = totals(inner)
    jobs += below.jobs
    nextAt = Math.min(nextAt, below.nextAt ?? Infinity)
  }
  return { jobs, nextAt: nextAt === Infinity ? null : nextAt }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
