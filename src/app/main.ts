import { mount } from 'svelte';
import App from './App.svelte';
import './trusted-workers.ts';
import './styles/base.css';
import './styles/charts.css';
import './styles/columns.css';
import './styles/figures.css';
import './styles/run-lines.css';
import './styles/side-by-side.css';
import './styles/unfinished.css';

const target = document.getElementById('app');
if (target) mount(App, { target });
