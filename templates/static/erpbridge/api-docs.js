/* The page of the API: draws the description that the page names. */
const place = document.getElementById("api-docs");
SwaggerUIBundle({
  url: place.dataset.description,
  domNode: place,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  displayOperationId: false,
  filter: true,
  deepLinking: true,
});
