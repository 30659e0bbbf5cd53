// The agent's phone in this browser, for as long as it is the one chosen (`AgentStatus.kind`).

import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { api } from '@/api/client.ts'
import { whyOf } from '@/common/refusal.ts'
import { touch } from '@/phone/dialog.ts'
import { troubleOf, type MicrophoneTrouble } from '@/phone/microphone.ts'
import type { LineState, PhoneCall, Registration, Softphone } from '@/phone/softphone.ts'

const MICROPHONE = 'hotline.microphone'
const SPEAKER = 'hotline.speaker'
/** A call that comes within so long of our own asking for one is that one. */
const OWN_MS = 15_000
const TOUCH_MS = 5_000
const RETRY_S = 60

export const usePhone = defineStore('phone', () => {
  const line = shallowRef<LineState>('off')
  const reason = shallowRef('')
  const call = shallowRef<PhoneCall | null>(null)
  const microphone = shallowRef(localStorage.getItem(MICROPHONE) ?? '')
  const speaker = shallowRef(localStorage.getItem(SPEAKER) ?? '')
  const microphoneTrouble = shallowRef<MicrophoneTrouble | null>(null)
  const ringing = computed(() => call.value?.state === 'ringing')
  let phone: Softphone | null = null
  let sound: HTMLAudioElement | null = null
  let quiet: (() => void) | null = null
  let ownUntil = 0
  let touching: ReturnType<typeof setInterval> | null = null
  let renewing: ReturnType<typeof setTimeout> | null = null
  let release: (() => void) | null = null
  let wanted = false

  function hear(stream: MediaStream | null): void {
    sound ??= new Audio()
    sound.autoplay = true
    sound.srcObject = stream
    void applySpeaker()
  }

  async function applySpeaker(): Promise<void> {
    try {
      await sound?.setSinkId?.(speaker.value)
    } catch {
      speaker.value = '' // the device is gone: the system's default
    }
  }

  async function ringUntilAnswered(now: PhoneCall | null): Promise<void> {
    if (now?.state === 'ringing') {
      const { ring } = await import('@/phone/ringer.ts')
      if (call.value?.state === 'ringing') quiet ??= ring()
    } else {
      quiet?.()
      quiet = null
    }
  }

  function took(now: PhoneCall | null): void {
    call.value = now
    void ringUntilAnswered(now)
    if (now?.state === 'talking') {
      microphoneTrouble.value = null
      touching ??= setInterval(touch, TOUCH_MS)
    } else if (touching !== null) {
      clearInterval(touching)
      touching = null
    }
  }

  /** Register; only one tab of a browser has the phone, the others wait for it. */
  async function start(): Promise<void> {
    if (wanted) return
    wanted = true
    line.value = 'busy'
    void navigator.locks.request('hotline-phone', async () => {
      if (!wanted) return
      try {
        await register()
      } catch (error) {
        line.value = 'refused'
        reason.value = whyOf(error)
        wanted = false
        return
      }
      await new Promise<void>((resolve) => (release = resolve))
    })
  }

  async function register(): Promise<void> {
    line.value = 'connecting'
    const [{ Softphone }, registration] = await Promise.all([
      import('@/phone/softphone.ts'),
      api.get<Registration>('/softphone'),
    ])
    phone = new Softphone(registration, {
      onLine: (state, why) => {
        line.value = state
        reason.value = why
      },
      onCall: took,
      onSound: hear,
      onMicrophone: (error) => (microphoneTrouble.value = troubleOf(error)),
    })
    phone.microphone = microphone.value
    phone.answerNext = () => Date.now() < ownUntil
    phone.start()
    if (registration.ice_lasts_s !== null) renewIn(registration.ice_lasts_s / 2, phone)
  }

  /** TURN credentials end: have new ones before, for the next call. */
  function renewIn(seconds: number, mine: Softphone): void {
    renewing = setTimeout(async () => {
      let next = RETRY_S
      try {
        const fresh = await api.get<Registration>('/softphone')
        mine.iceServers = fresh.ice_servers
        next = (fresh.ice_lasts_s ?? Infinity) / 2
      } catch {
        // Away for the moment, or signed out: asked again while the phone is in use.
      }
      if (phone === mine && Number.isFinite(next)) renewIn(next, mine)
    }, seconds * 1000)
  }

  function stop(): void {
    wanted = false
    if (renewing !== null) clearTimeout(renewing)
    renewing = null
    phone?.stop()
    phone = null
    release?.()
    release = null
    took(null)
    line.value = 'off'
  }

  function setMicrophone(id: string): void {
    microphone.value = id
    localStorage.setItem(MICROPHONE, id)
    if (phone) phone.microphone = id
  }

  function setSpeaker(id: string): void {
    speaker.value = id
    localStorage.setItem(SPEAKER, id)
    void applySpeaker()
  }

  /** We have just asked the gateway for a call of our own: the phone answers it by itself. */
  function expectOwnCall(): void {
    ownUntil = Date.now() + OWN_MS
  }

  const answer = (): void => phone?.answer()
  const hangUp = (): void => phone?.hangUp()
  const tone = (key: string): void => phone?.tone(key)

  return {
    line, reason, call, ringing, microphone, speaker, microphoneTrouble,
    start, stop, setMicrophone, setSpeaker, expectOwnCall, answer, hangUp, tone,
  }
})
