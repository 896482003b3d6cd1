/** The dashboard's addresses. */

import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import RunsView from '@/views/RunsView.vue'

function idOf(route: RouteLocationNormalized): string {
  const id = route.params['id']
  return Array.isArray(id) ? id.join('/') : (id ?? '')
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', redirect: '/runs' },
    { path: '/runs', name: 'runs', component: RunsView, meta: { title: 'Runs' } },
    {
      path: '/runs/:id',
      name: 'run',
      component: () => import('@/views/RunView.vue'),
      props: (route) => ({ id: idOf(route) }),
    },
    { path: '/jobs', name: 'jobs', component: () => import('@/views/JobsView.vue'), meta: { title: 'Jobs' } },
    {
      path: '/jobs/:id+',
      name: 'job',
      component: () => import('@/views/JobView.vue'),
      props: (route) => ({ id: idOf(route) }),
    },
    {
      path: '/commits',
      name: 'commits',
      component: () => import('@/views/CommitsView.vue'),
      meta: { title: 'Commits' },
    },
    { path: '/:rest(.*)*', name: 'nowhere', component: () => import('@/views/NowhereView.vue') },
  ],
})

router.afterEach((to) => {
  const title = typeof to.meta['title'] === 'string' ? to.meta['title'] : idOf(to)
  document.title = title === '' ? 'Apsis' : `${title} · Apsis`
})
