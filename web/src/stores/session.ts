// Who is signed in, and what they may.

import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { api, ApiError } from '@/api/client.ts'
import type { Line, Permission, Session } from '@/api/types.ts'

export const useSession = defineStore('session', () => {
  const me = shallowRef<Session | null>(null)
  /** Whether the gateway was asked who we are. */
  const asked = shallowRef(false)
  /** Signed out by the gateway (the session is over), not by the person. */
  const expired = shallowRef(false)
  /** Why the gateway could not be asked yet; empty: it answers. */
  const unreachable = shallowRef('')

  const lines = computed<ReadonlyMap<string, Line>>(() => new Map((me.value?.lines ?? []).map((one) => [one.id, one])))
  const lineOfQueue = computed<ReadonlyMap<string, Line>>(
    () => new Map((me.value?.lines ?? []).map((one) => [one.queue, one])),
  )

  function take(session: Session | null): void {
    me.value = session
    api.csrf = session?.csrf ?? null
    asked.value = true
    if (session !== null) expired.value = false
  }

  function may(permission: Permission): boolean {
    return me.value?.permissions.includes(permission) ?? false
  }

  /** Ask the gateway once who we are. Throws `ApiError` where it cannot be reached. */
  async function load(): Promise<void> {
    try {
      take(await api.get<Session>('/session'))
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
      if (me.value === null) take(null)
      else signedOut()
    }
  }

  /** Throws `ApiError`: 401 wrong, 429 too often. */
  async function signIn(username: string, password: string): Promise<void> {
    take(await api.post<Session>('/session', { username, password }))
  }

  async function signOut(): Promise<void> {
    try {
      await api.delete('/session')
    } finally {
      take(null)
    }
  }

  /** The gateway no longer knows us. */
  function signedOut(): void {
    if (me.value === null) return
    take(null)
    expired.value = true
  }

  return { me, asked, expired, unreachable, lines, lineOfQueue, may, load, signIn, signOut, signedOut }
})
