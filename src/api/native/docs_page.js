// Begins the page at /docs/ (Swagger UI): open on the request that everybody begins with, which can be sent as it is.
window.onload = () => {
  const methods = ["post", "put", "get", "delete"];
  const order = (operation) => [operation.get("path"), methods.indexOf(operation.get("method"))];
  if (!location.hash) {
    history.replaceState(null, "", "#/Notifications/create_notification");
  }
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    tryItOutEnabled: true,
    validatorUrl: "none",
    operationsSorter: (one, other) => {
      const [path, method] = order(one);
      const [otherPath, otherMethod] = order(other);
      return path < otherPath ? -1 : path > otherPath ? 1 : method - otherMethod;
    },
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    layout: "StandaloneLayout",
  });
};
