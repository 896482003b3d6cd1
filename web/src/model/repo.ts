/** Job repositories, their revisions, and what the check found. */

export type Verdict = 'applied' | 'rejected'
export type RepoStatus = 'synced' | 'rejected' | 'fetch_failed' | 'pending'

export interface Finding {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly path: string
  readonly line: number | null
  readonly column: number | null
  readonly message: string
  readonly help: string | null
  readonly source: string | null
}

export interface Revision {
  readonly id: string
  readonly author: string | null
  readonly time: number
  readonly message: string
  readonly verdict: Verdict
  readonly decidedAt: number
  readonly added: number
  readonly changed: number
  readonly removed: number
  readonly findings: readonly Finding[]
}

export interface Repo {
  readonly prefix: string
  readonly source: string
  readonly mode: 'git' | 'directory'
  readonly branch: string | null
  readonly status: RepoStatus
  readonly applied: Revision | null
  readonly newest: Revision | null
  readonly error: string | null
  readonly fetchedAt: number | null
  readonly jobs: number
}

export type Tone = 'green' | 'amber' | 'red' | 'grey'

export const REPO_LOOKS: Record<RepoStatus, { label: string; tone: Tone; mark: string }> = {
  synced: { label: 'synced', tone: 'green', mark: '✓' },
  rejected: { label: 'rejected', tone: 'red', mark: '✕' },
  fetch_failed: { label: 'fetch failed', tone: 'amber', mark: '!' },
  pending: { label: 'pending', tone: 'amber', mark: '…' },
}

/** Seven digits of a commit; the content hash of a directory keeps its `dir-`. */
export function shortRevision(id: string): string {
  return id.slice(0, id.startsWith('dir-') ? 11 : 7)
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}

export function errorCount(revision: Revision | null): number {
  return revision?.findings.filter((finding) => finding.severity === 'error').length ?? 0
}

/** Where the caret stands under a source line: tabs stay tabs, so that it stands under its character. */
export function caretPad(source: string, column: number): string {
  return source.slice(0, Math.max(0, column - 1)).replace(/[^\t]/g, ' ')
}

export function placeText(finding: Finding): string {
  return [finding.path, finding.line, finding.line === null ? null : finding.column]
    .filter((part) => part !== null)
    .join(':')
}

/** Replace the repository of the same prefix, or add it. */
export function withRepo(repos: readonly Repo[], changed: Repo): Repo[] {
  const known = repos.some((repo) => repo.prefix === changed.prefix)
  return known
    ? repos.map((repo) => (repo.prefix === changed.prefix ? changed : repo))
    : [...repos, changed]
}
