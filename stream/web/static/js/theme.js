// Light or dark as chosen before, set before anything is painted. Without a choice the system's stands.
(() => {
  const chosen = localStorage.getItem("driftline.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
