/** 离线使用与新版本的用词，中文。 */
import type { Texts } from './en.ts';

export const zhOffline: Pick<Texts, 'offline'> = {
  offline: {
    title: '离线使用',
    noNetwork: '您现在处于离线状态。',
    kept: {
      unsupported: '此浏览器、窗口或地址不允许保存页面（需要 https 或 localhost）。页面可以使用，但只能联网打开。',
      keeping: '正在把页面保存到此浏览器……',
      page: '页面可以离线打开。您的浏览器正在节省流量：演示模型与数据在使用后才会保存。',
      all: '页面可以离线打开、加载演示并训练，只有 Hub 上的模型需要先下载。占用此浏览器 15 MB 存储空间。',
      'no-room': '没有空间保存页面。页面可以使用，但只能联网打开；请删除已存的模型或训练记录后重试。',
      unreachable: '有文件未能取得；页面可以使用，下次打开时会再试。',
      changed: '服务器上的文件与此版本不同：可能正在更新，或改动了所发送的内容。页面可以使用，下次打开时会再试。',
    },
    install: '安装为应用',
    hub: '您处于离线状态。查询与下载需等待网络恢复；已存在此处的模型仍可打开。',
    updateReady: '新版本已就绪。',
    updateText: '页面将以新版本重新打开。训练记录会保留，模型与数据需重新选择。',
    updateNow: '更新',
    updateWhenIdle: '训练结束后更新',
    updateWaits: '新版本将在没有标签页训练或下载时打开。',
    later: '稍后',
    notYet: '暂不更新',
  },
};
