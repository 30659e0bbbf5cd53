// The agent's phone: in this browser, or a phone on the desk that the gateway commands.

import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { api, ApiError } from '@/api/client.ts'
import { touch } from '@/phone/dialog.ts'
import type { LineState, PhoneCall, Registration, Softphone } from '@/phone/softphone.ts'

export type PhoneKind = 'browser' | 'desk'

const KIND = 'hotline.phone'
const MICROPHONE = 'hotline.microphone'
const SPEAKER = 'hotline.speaker'
/** A call that comes within so long of our own asking for one is that one. */
const OWN_MS = 15_000
const TOUCH_MS = 5_000

export const usePhone = defineStore('phone', () => {
  const kind = shallowRef<PhoneKind>(localStorage.getItem(KIND) === 'desk' ? 'desk' : 'browser')
  const line = shallowRef<LineState>('off')
  const reason = shallowRef('')
  const call = shallowRef<PhoneCall | null>(null)
  const microphone = shallowRef(localStorage.getItem(MICROPHONE) ?? '')
  const speaker = shallowRef(localStorage.getItem(SPEAKER) ?? '')
  const microphoneError = shallowRef('')
  const ringing = computed(() => call.value?.state === 'ringing')
  let phone: Softphone | null = null
  let sound: HTMLAudioElement | null = null
  let quiet: (() => void) | null = null
  let ownUntil = 0
  let touching: ReturnType<typeof setInterval> | null = null
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
    if (now?.state === 'talking') touching ??= setInterval(touch, TOUCH_MS)
    else if (touching !== null) {
      clearInterval(touching)
      touching = null
    }
  }

  /** Register, if the phone is this browser; only one tab of a browser has it, the others wait for it. */
  async function start(): Promise<void> {
    if (kind.value === 'desk' || wanted) return
    wanted = true
    line.value = 'busy'
    void navigator.locks.request('hotline-phone', async () => {
      if (!wanted) return
      try {
        await register()
      } catch (error) {
        line.value = 'refused'
        reason.value = error instanceof ApiError ? error.detail : String(error)
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
      onMicrophone: (error) => (microphoneError.value = `${error.name}: ${error.message}`),
    })
    phone.microphone = microphone.value
    phone.answerNext = () => Date.now() < ownUntil
    phone.start()
  }

  function stop(): void {
    wanted = false
    phone?.stop()
    phone = null
    release?.()
    release = null
    took(null)
    line.value = 'off'
  }

  function choose(now: PhoneKind): void {
    if (kind.value === now) return
    kind.value = now
    localStorage.setItem(KIND, now)
    if (now === 'desk') stop()
    else void start()
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
    kind, line, reason, call, ringing, microphone, speaker, microphoneError,
    start, stop, choose, setMicrophone, setSpeaker, expectOwnCall, answer, hangUp, tone,
  }
})
